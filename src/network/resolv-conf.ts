/** Text of `/etc/resolv.conf` (contract 1.3.2, resolv.conf(5)). */
import { readFileSync } from "node:fs";
import { isIP, isIPv4 } from "node:net";
import { BerthError } from "../errors.ts";
import { errnoCode } from "../internal/libc.ts";

const fallbackServers = ["8.8.8.8", "8.8.4.4"];
/** resolv.conf(5), MAXNS: a resolver reads no more. */
const mostServers = 3;
const systemdStub = "127.0.0.53";

export interface ResolvConfOptions {
  /** Servers the user named; they come first. */
  readonly dns: readonly string[];
  /** Instead of the host's; `.` alone = none. */
  readonly search?: readonly string[] | undefined;
  /** Instead of the host's. */
  readonly options?: readonly string[] | undefined;
  /** Text of the host's file, see {@link readHostResolvConf}. */
  readonly hostResolvConf: string;
  /** `true` when the container shares the host's network: the host's file is right as it is and `dns` is ignored. */
  readonly hostNetwork?: boolean | undefined;
  /** Servers that know the names of the container's networks; they ask the others themselves, so the file names only them. */
  readonly nameServers?: readonly string[] | undefined;
  /** `true` without a way out: nobody will ever answer for names of the world outside, so the wait for it is short. */
  readonly isCutOff?: boolean | undefined;
}

/**
 * The user's servers, then those of the host that a namespace of its own can reach: not its loopback, and only IPv4. With
 * none at all, public ones, as Docker does. Search domains and options are the host's where the user named none. Throws `invalid_spec` for a server
 * that is no address.
 */
export function resolvConf(o: ResolvConfOptions): string {
  if (o.hostNetwork) return o.hostResolvConf;
  const wrong = o.dns.find((server) => isIP(server) === 0);
  if (wrong !== undefined) throw new BerthError("invalid_spec", `dns server ${JSON.stringify(wrong)} is not an IP address`);
  const lines = o.hostResolvConf.split("\n").map((line) => line.trim());
  const fromHost = lines.flatMap((line) => /^nameserver\s+(\S+)/.exec(line)?.[1] ?? []).filter(reachable);
  const own = (o.nameServers ?? []).slice(0, mostServers);
  const servers = own.length > 0 ? own : [...new Set([...o.dns, ...fromHost])].slice(0, Math.max(mostServers, o.dns.length));
  const settings = settingsOf(lines, o);
  if (o.isCutOff && own.length > 0) settings.push("options timeout:1 attempts:1");
  return [...(servers.length > 0 ? servers : fallbackServers).map((server) => `nameserver ${server}`), ...settings, ""].join("\n");
}

function settingsOf(hostLines: readonly string[], { search, options }: ResolvConfOptions): string[] {
  const replaced = [...(search === undefined ? [] : ["search", "domain"]), ...(options === undefined ? [] : ["options"])];
  const kept = hostLines.filter((line) => /^(search|domain|options|sortlist)\s/.test(line) && !replaced.some((word) => line.startsWith(word)));
  const domains = (search ?? []).filter((domain) => domain !== ".");
  return [...kept, ...(domains.length > 0 ? [`search ${domains.join(" ")}`] : []), ...(options === undefined ? [] : [`options ${options.join(" ")}`])];
}

/** The host's servers, looked up behind systemd-resolved's stub where that is all the host's file names. Empty without a file. */
export function readHostResolvConf(): string {
  const text = readOrEmpty("/etc/resolv.conf");
  const servers = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map((match) => match[1]);
  const onlyStub = servers.length > 0 && servers.every((server) => server === systemdStub);
  return (onlyStub && readOrEmpty("/run/systemd/resolve/resolv.conf")) || text;
}

function reachable(server: string): boolean {
  return isIPv4(server) && !server.startsWith("127.");
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return "";
    throw error;
  }
}
