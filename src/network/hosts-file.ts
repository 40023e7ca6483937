/** Texts of `/etc/hosts` and `/etc/hostname` (contract 1.3.2, as Docker writes them). */
import { isIP } from "node:net";
import { BerthError } from "../errors.ts";

const ownLines = [
  "127.0.0.1\tlocalhost",
  "::1\tlocalhost ip6-localhost ip6-loopback",
  "fe00::\tip6-localnet",
  "ff00::\tip6-mcastprefix",
  "ff02::1\tip6-allnodes",
  "ff02::2\tip6-allrouters",
];

export interface HostsFileOptions {
  readonly hostname: string;
  /** The container's own addresses; none in modes without. */
  readonly ips?: readonly string[] | undefined;
  /** `hostname:ip`, split at the first colon; the ip `host-gateway` stands for {@link HostsFileOptions.gateway}. */
  readonly extraHosts: readonly string[];
  /** The host's address as the container sees it: the network's gateway, or 127.0.0.1 with the host's network. */
  readonly gateway?: string | undefined;
  /** Text of the host's own file, which mode `host` starts from instead of the usual lines. */
  readonly base?: string | undefined;
}

/** Throws `invalid_spec` for an extra host that is none. */
export function hostsFile(o: HostsFileOptions): string {
  const base = o.base === undefined ? ownLines : o.base.replace(/\n+$/, "").split("\n");
  const extra = o.extraHosts.map((entry) => extraHostLine(entry, o.gateway));
  const own = (o.ips ?? []).map((ip) => `${ip}\t${namesOf(o.hostname)}`);
  return `${[...base, ...extra, ...own].join("\n")}\n`;
}

/** The text without the lines of these addresses. */
export function withoutAddresses(text: string, addresses: readonly string[]): string {
  const lines = text.split("\n").filter((line) => !addresses.includes(line.trim().split(/\s+/)[0] ?? ""));
  return lines.at(-1) === "" ? lines.join("\n") : `${lines.join("\n")}\n`;
}

export function hostnameFile(hostname: string): string {
  return `${hostname}\n`;
}

/** Throws `invalid_spec`, so that specs can be checked before anything is made. */
export function parseExtraHost(entry: string): { readonly name: string; readonly ip: string } {
  const colon = entry.indexOf(":");
  const name = entry.slice(0, Math.max(colon, 0));
  const ip = entry.slice(colon + 1).replace(/^\[(.*)\]$/, "$1");
  if (!/^[^\s#:]+$/.test(name) || (ip !== "host-gateway" && isIP(ip) === 0)) {
    throw new BerthError("invalid_spec", `extra host ${JSON.stringify(entry)} must read hostname:ip, where ip is an address or host-gateway`);
  }
  return { name, ip };
}

function extraHostLine(entry: string, gateway: string | undefined): string {
  const { name, ip } = parseExtraHost(entry);
  if (ip !== "host-gateway") return `${ip}\t${name}`;
  if (gateway === undefined) throw new BerthError("invalid_spec", `extra host ${JSON.stringify(entry)} needs a network through which the host can be reached`);
  return `${gateway}\t${name}`;
}

/** A dotted hostname is found by its first part too. */
function namesOf(hostname: string): string {
  const dot = hostname.indexOf(".");
  return dot > 0 ? `${hostname} ${hostname.slice(0, dot)}` : hostname;
}
