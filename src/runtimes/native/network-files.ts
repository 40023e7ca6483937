/** The three files below /etc that belong to a container's network, when it starts and when its networks change. */
import { readFileSync, writeFileSync } from "node:fs";
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
  writeFileSync(paths.hosts, `${withoutAddresses(readFileSync(paths.hosts, "utf8"), addressesOf(removed))}${lines.join("")}`);
  if (readFileSync(paths.resolvConf, "utf8") === resolverText(ctx, record, change.before)) {
    writeFileSync(paths.resolvConf, resolverText(ctx, record, change.after));
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

function resolverText(ctx: NativeContext, { facts }: ContainerRecord, endpoints: readonly Endpoint[]): string {
  const { spec } = facts;
  return resolvConf({
    dns: spec.dns,
    hostResolvConf: readHostResolvConf(),
    hostNetwork: spec.networkMode.mode === "host",
    nameServers: ctx.network.nameServers(endpoints),
    isCutOff: endpoints.every(({ internal }) => internal),
  });
}

function addressesOf(endpoints: readonly Endpoint[]): string[] {
  return endpoints.flatMap(({ ipv4, ipv6 }) => (ipv6 === undefined ? [ipv4] : [ipv4, ipv6.address]));
}
