/** A container's network mode turned into a namespace, an endpoint and the three files below /etc. */
import { readFileSync, writeFileSync } from "node:fs";
import { BerthError } from "../../errors.ts";
import { hostnameFile, hostsFile } from "../../network/hosts-file.ts";
import { defaultNetwork } from "../../network/names.ts";
import { readHostResolvConf, resolvConf } from "../../network/resolv-conf.ts";
import type { Endpoint } from "../../network/types.ts";
import { parseContainerId, standaloneId } from "../../spec/container-id.ts";
import type { NetworkMode } from "../../spec/service-spec.ts";
import type { ContainerRecord } from "./container-store.ts";
import { type NativeContext, pathsOf } from "./context.ts";
import type { ContainerPaths } from "./layout.ts";
import { isRunning, settle } from "./run-state.ts";

export interface NetworkPlan {
  /** Where the container's network namespace comes from. */
  readonly namespace: { readonly kind: "private" } | { readonly kind: "host" } | { readonly kind: "path"; readonly path: string };
  readonly endpoint: Endpoint | undefined;
  readonly hosts: string;
  readonly hostname: string;
  /** UTS name, where another container decides it. */
  readonly utsName?: string | undefined;
  readonly resolvConf: string;
}

/** Leases address and ports, and writes the files. `attachEndpoint` does the rest once there is a pid. */
export function planNetwork(ctx: NativeContext, record: ContainerRecord, paths: ContainerPaths): NetworkPlan {
  const { networkMode } = record.facts.spec;
  if (networkMode.mode === "container") return shared(ctx, networkMode.id);
  const endpoint = allocate(ctx, record, networkMode);
  writeFiles(record, paths, endpoint);
  return {
    namespace: networkMode.mode === "host" ? { kind: "host" } : { kind: "private" },
    endpoint,
    hosts: paths.hosts,
    hostname: paths.hostnameFile,
    resolvConf: paths.resolvConf,
  };
}

export function attachEndpoint(ctx: NativeContext, plan: NetworkPlan, pid: number): void {
  if (plan.endpoint !== undefined) ctx.network.attach(plan.endpoint, pid);
  else if (plan.namespace.kind === "private") ctx.network.loopbackOnly(pid);
}

function allocate(ctx: NativeContext, record: ContainerRecord, mode: NetworkMode): Endpoint | undefined {
  if (mode.mode !== "default" && mode.mode !== "bridge") return undefined;
  const network = mode.mode === "bridge" ? (mode.name ?? defaultNetwork) : defaultNetwork;
  return ctx.network.allocate(record.key, { network, ports: record.facts.spec.portMappings });
}

/** Network, names and files of another container, which must be running. */
function shared(ctx: NativeContext, reference: string): NetworkPlan {
  const record = findContainer(ctx, reference);
  if (record === undefined)
    throw new BerthError("start_failed", `cannot join the network of ${reference}: no such container`, { reason: `no such container: ${reference}` });
  const other = settle(ctx, record);
  if (!isRunning(other) || other.run.pid === undefined) {
    throw new BerthError("start_failed", `cannot join the network of container ${other.name}: it is not running; start it first`, {
      reason: `container ${other.name} is not running`,
    });
  }
  const paths = pathsOf(ctx, other.facts.id);
  return {
    namespace: { kind: "path", path: `/proc/${other.run.pid}/ns/net` },
    endpoint: undefined,
    utsName: other.facts.hostname,
    hosts: paths.hosts,
    hostname: paths.hostnameFile,
    resolvConf: paths.resolvConf,
  };
}

/** By string form, name, hex id or a prefix of it. */
export function findContainer(ctx: NativeContext, reference: string): ContainerRecord | undefined {
  const byId = parseContainerId(reference);
  const direct = (byId && ctx.store.get(reference)) ?? ctx.store.byName(reference);
  if (direct !== undefined) return direct;
  if (/^[0-9a-f]{12,64}$/.test(reference)) {
    const matches = ctx.store.list().filter((record) => record.hexId.startsWith(reference));
    return matches.length === 1 ? matches[0] : undefined;
  }
  return /^[a-zA-Z0-9][\w.-]*$/.test(reference) ? ctx.store.get(`${standaloneId(reference).service}-rep-0`) : undefined;
}

function writeFiles(record: ContainerRecord, paths: ContainerPaths, endpoint: Endpoint | undefined): void {
  const { spec, hostname } = record.facts;
  const hostNetwork = spec.networkMode.mode === "host";
  const hosts = hostsFile({
    hostname,
    ip: endpoint?.ipv4,
    extraHosts: spec.extraHosts,
    gateway: hostNetwork ? "127.0.0.1" : endpoint?.gateway,
    base: hostNetwork ? readFileSync("/etc/hosts", "utf8") : undefined,
  });
  writeFileSync(paths.hosts, hosts, { mode: 0o644 });
  writeFileSync(paths.hostnameFile, hostnameFile(hostname), { mode: 0o644 });
  writeFileSync(paths.resolvConf, resolvConf({ dns: spec.dns, hostResolvConf: readHostResolvConf(), hostNetwork }), { mode: 0o644 });
}
