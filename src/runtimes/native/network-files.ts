/** The three files below /etc that belong to a container's network, when it starts and when its networks change. */
import { closeSync, ftruncateSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { hostnameFile, hostsFile, withoutAddresses } from "../../network/hosts-file.ts";
import { readHostResolvConf, resolvConf } from "../../network/resolv-conf.ts";
import { gatewayEndpoint } from "../../network/allocation.ts";
import type { Endpoint } from "../../network/types.ts";
import type { ContainerRecord } from "./container-store.ts";
import type { NativeContext } from "./context.ts";
import type { ContainerPaths } from "./layout.ts";

export function writeNetworkFiles(ctx: NativeContext, record: ContainerRecord, paths: ContainerPaths, endpoints: readonly Endpoint[]): void {
  writeFileSync(paths.hosts, hostsText(record, endpoints), { mode: 0o644 });
  writeFileSync(paths.hostnameFile, hostnameFile(record.facts.hostname), { mode: 0o644 });
  writeFileSync(paths.resolvConf, resolverText(ctx, record, endpoints), { mode: 0o644 });
}

export interface EndpointsChange {
  readonly before: readonly Endpoint[];
  readonly after: readonly Endpoint[];
}

/**
 * The container sees these very files, so they are changed in place. Lines it wrote itself stay; a resolv.conf that it
 * rewrote is its own.
 */
export function rewriteNetworkFiles(ctx: NativeContext, record: ContainerRecord, paths: ContainerPaths, change: EndpointsChange): void {
  const added = change.after.filter((endpoint) => !change.before.some(({ network }) => network === endpoint.network));
  const removed = change.before.filter((endpoint) => !change.after.some(({ network }) => network === endpoint.network));
  const lines = addressesOf(added).map((ip) => `${ip}\t${record.facts.hostname}\n`);
  rewrite(paths.hosts, (text) => `${withoutAddresses(text, addressesOf(removed))}${lines.join("")}`);
  rewrite(paths.resolvConf, (text) => {
    const isOurs = text.trimEnd() === resolverText(ctx, record, change.before).trimEnd();
    return isOurs ? resolverText(ctx, record, change.after) : text;
  });
}

/** Where the name server cannot be had: the container asks the servers of the host, as on the default network. */
export function resolveByHost(ctx: NativeContext, record: ContainerRecord, paths: ContainerPaths, endpoints: readonly Endpoint[]): void {
  rewrite(paths.resolvConf, () => resolverText(ctx, record, endpoints, []));
}

/** One write, as long as the old text at least, so that who reads or dies in the middle never has an empty file or half a line. */
function rewrite(path: string, change: (text: string) => string): void {
  const before = readFileSync(path, "utf8");
  const after = change(before);
  if (after === before) return;
  const [bytes, oldLength] = [Buffer.from(after), Buffer.byteLength(before)];
  const padding = Buffer.alloc(Math.max(0, oldLength - bytes.length), "\n");
  const fd = openSync(path, "r+");
  try {
    writeSync(fd, Buffer.concat([bytes, padding]), 0, bytes.length + padding.length, 0);
    ftruncateSync(fd, bytes.length);
  } finally {
    closeSync(fd);
  }
}

function hostsText({ facts }: ContainerRecord, endpoints: readonly Endpoint[]): string {
  const { spec, hostname } = facts;
  const hostNetwork = spec.networkMode.mode === "host";
  return hostsFile({
    hostname,
    ips: addressesOf(endpoints),
    extraHosts: spec.extraHosts,
    gateway: hostNetwork ? "127.0.0.1" : gatewayEndpoint(endpoints)?.gateway,
    base: hostNetwork ? readFileSync("/etc/hosts", "utf8") : undefined,
  });
}

function resolverText(
  ctx: NativeContext,
  { facts }: ContainerRecord,
  endpoints: readonly Endpoint[],
  nameServers: readonly string[] = ctx.network.nameServers(endpoints),
): string {
  const { spec } = facts;
  return resolvConf({
    dns: spec.dns,
    search: spec.dnsSearch,
    options: spec.dnsOptions,
    hostResolvConf: readHostResolvConf(),
    hostNetwork: spec.networkMode.mode === "host",
    nameServers,
    isCutOff: endpoints.every(({ internal }) => internal),
  });
}

function addressesOf(endpoints: readonly Endpoint[]): string[] {
  return endpoints.flatMap(({ ipv4, ipv6 }) => (ipv6 === undefined ? [ipv4] : [ipv4, ipv6.address]));
}
