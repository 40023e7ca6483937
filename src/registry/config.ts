import { BlockList, isIP } from "node:net";
import { BerthError } from "../errors.ts";
import { isHost } from "../spec/reference.ts";

/** Which registries are spoken to how (contract 4.8). */
export interface RegistryConfig {
  /**
   * Hosts (`host`, `host:port` or a CIDR range) that may be spoken to over plain HTTP or with any certificate. An entry
   * without port means every port. Loopback addresses and `localhost` always may.
   */
  readonly insecure?: readonly string[] | undefined;
  /**
   * Registry host to base URLs of its mirrors, asked in this order before the registry itself. A path in the URL is put
   * before the repository: `https://harbor.example/hub` serves `library/nginx` as `hub/library/nginx`.
   */
  readonly mirrors?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** One place a repository can be read from. */
export interface Endpoint {
  /** `host[:port]`, for messages and the lookup of credentials. */
  readonly host: string;
  /** `scheme://host[:port]`, in the order to try. */
  readonly origins: readonly string[];
  /** Repository there. */
  readonly repository: string;
  readonly isMirror: boolean;
}

export type SchemePolicy = (host: string) => "https" | "loopback" | "insecure";

/**
 * Reads `BERTH_INSECURE_REGISTRIES` (`host,host:port,10.0.0.0/8`) and `BERTH_REGISTRY_MIRRORS`
 * (`docker.io=https://a,docker.io=https://b,ghcr.io=https://c`). Throws `configuration`.
 */
export function registryConfigFromEnvironment(env: Readonly<Record<string, string | undefined>>): RegistryConfig {
  const insecure = list(env["BERTH_INSECURE_REGISTRIES"]);
  const mirrors = new Map<string, string[]>();
  for (const entry of list(env["BERTH_REGISTRY_MIRRORS"])) {
    const [host = "", ...rest] = entry.split("=");
    if (!isHost(host) || rest.length === 0) throw bad(`BERTH_REGISTRY_MIRRORS: ${JSON.stringify(shown(entry))} is not host=url`);
    const key = canonicalHost(host);
    mirrors.set(key, [...(mirrors.get(key) ?? []), rest.join("=")]);
  }
  const config = { insecure, mirrors: Object.fromEntries(mirrors) };
  checkRegistryConfig(config);
  return config;
}

/** Throws `configuration` for an entry that cannot be honoured, before the first pull has to. */
export function checkRegistryConfig(config: RegistryConfig): void {
  const policy = schemePolicy(config);
  for (const url of Object.values(config.mirrors ?? {}).flat()) mirrorUrl(url, policy);
}

/** The registry's own host and its mirrors, best first. */
export function endpointsOf(registry: string, repository: string, config: RegistryConfig, policy: SchemePolicy): readonly Endpoint[] {
  const key = Object.keys(config.mirrors ?? {}).find((host) => canonicalHost(host) === registry);
  const mirrors = (key === undefined ? undefined : config.mirrors?.[key]) ?? [];
  const host = registry === "docker.io" ? "registry-1.docker.io" : registry;
  return [...mirrors.map((url) => mirrorEndpoint(mirrorUrl(url, policy), repository)), { host, origins: originsOf(host, policy), repository, isMirror: false }];
}

function mirrorEndpoint(url: URL, repository: string): Endpoint {
  const prefix = url.pathname.replace(/^\/+|\/+$/g, "");
  return { host: url.host, origins: [url.origin], repository: prefix === "" ? repository : `${prefix}/${repository}`, isMirror: true };
}

function mirrorUrl(text: string, policy: SchemePolicy): URL {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) throw bad(`registry mirror ${shown(text)} is not an http(s) URL`);
  if (url.username !== "" || url.password !== "") throw bad(`registry mirror ${url.host}: put the account into docker's config.json, not into the URL`);
  if (url.protocol === "http:" && policy(url.host) === "https") {
    throw bad(`registry mirror ${url.host}: plain http needs the host in BERTH_INSECURE_REGISTRIES`);
  }
  return url;
}

/** On loopback plain HTTP is the rule; a host listed as insecure may still have TLS, and then uses it. */
function originsOf(host: string, policy: SchemePolicy): readonly string[] {
  const [https, http] = [`https://${host}`, `http://${host}`];
  const how = policy(host);
  if (how === "https") return [https];
  return how === "loopback" && !host.endsWith(":443") ? [http, https] : [https, http];
}

/** Decides by host how strict to be. */
export function schemePolicy(config: RegistryConfig): SchemePolicy {
  const names = new Set<string>();
  const ranges = new BlockList();
  for (const entry of config.insecure ?? []) addInsecure(entry, names, ranges);
  return (host) => {
    const name = hostName(host);
    if (isLoopback(name)) return "loopback";
    const family = isIP(name);
    const inRange = family !== 0 && ranges.check(name, family === 6 ? "ipv6" : "ipv4");
    return inRange || names.has(host.toLowerCase()) || names.has(name) ? "insecure" : "https";
  };
}

function addInsecure(entry: string, names: Set<string>, ranges: BlockList): void {
  const [address = "", bits] = entry.split("/");
  const family = isIP(address);
  if (bits !== undefined && family !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32)) {
    ranges.addSubnet(address, Number(bits), family === 6 ? "ipv6" : "ipv4");
  } else if (isHost(entry) || isIP(entry) === 6) {
    names.add(isIP(entry) === 6 ? entry : entry.startsWith("[") && entry.endsWith("]") ? hostName(entry) : entry.toLowerCase());
  } else {
    throw bad(`insecure registry ${JSON.stringify(shown(entry))} is neither host[:port] nor a range such as 10.0.0.0/8`);
  }
}

/** `host` without port and brackets, lower case. */
export function hostName(host: string): string {
  const bracketed = /^\[(?<address>.*)\](?::\d+)?$/.exec(host)?.groups?.["address"];
  return (bracketed ?? host.replace(/:\d+$/, "")).toLowerCase();
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

function isLoopback(name: string): boolean {
  const family = isIP(name);
  return name === "localhost" || (family !== 0 && loopback.check(name, family === 6 ? "ipv6" : "ipv4"));
}

/** The canonical host of what somebody calls a registry: a host, a URL such as Docker's `https://index.docker.io/v1/`, or nothing for Docker Hub. */
export function registryHost(server: string): string {
  const host = server
    .trim()
    .replace(/^https?:\/\//i, "")
    .replace(/\/.*$/s, "")
    .toLowerCase();
  if (host === "") return "docker.io";
  if (!isHost(host)) throw new BerthError("invalid_spec", `${JSON.stringify(shown(server))} is no registry; expected host[:port]`);
  return canonicalHost(host);
}

/** Every spelling of Docker Hub is `docker.io` (contract 0.4). */
export function canonicalHost(host: string): string {
  return host === "index.docker.io" || host === "registry-1.docker.io" ? "docker.io" : host;
}

function list(text: string | undefined): string[] {
  return (text ?? "").split(",").flatMap((item) => (item.trim() === "" ? [] : [item.trim()]));
}

/** Without account and query, which may be secret. */
function shown(text: string): string {
  return text
    .replace(/\/\/[^/@]*@/, "//")
    .replace(/\?.*$/s, "")
    .slice(0, 100);
}

function bad(message: string): BerthError {
  return new BerthError("configuration", message);
}
