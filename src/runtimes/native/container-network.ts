/** A container's network mode turned into a namespace, endpoints and the three files below /etc. */
import { BerthError } from "../../errors.ts";
import type { Endpoint, Membership } from "../../network/types.ts";
import type { NetworkAttachmentDetail } from "../../runtime/types.ts";
import { parseContainerId, shortId, standaloneId } from "../../spec/container-id.ts";
import { predefinedNetworks } from "../../spec/network-options.ts";
import type { ContainerRecord } from "./container-store.ts";
import { type NativeContext, pathsOf } from "./context.ts";
import type { ContainerPaths } from "./layout.ts";
import { writeNetworkFiles } from "./network-files.ts";
import { isRunning, settle } from "./run-state.ts";

export interface NetworkPlan {
  /** Where the container's network namespace comes from. */
  readonly namespace: { readonly kind: "private" } | { readonly kind: "host" } | { readonly kind: "path"; readonly path: string };
  readonly endpoints: readonly Endpoint[];
  readonly hosts: string;
  readonly hostname: string;
  /** UTS name, where another container decides it. */
  readonly utsName?: string | undefined;
  readonly resolvConf: string;
}

/** Leases addresses and ports, and writes the files. `attachEndpoints` does the rest once there is a pid. */
export function planNetwork(ctx: NativeContext, record: ContainerRecord, paths: ContainerPaths): NetworkPlan {
  const { networkMode, portMappings } = record.facts.spec;
  if (networkMode.mode === "container") return shared(ctx, networkMode.id);
  const members = ctx.network.memberships(record.key);
  const endpoints = members.length === 0 ? [] : ctx.network.allocate(record.key, { members, ports: portMappings });
  writeNetworkFiles(ctx, record, paths, endpoints);
  return {
    namespace: networkMode.mode === "host" ? { kind: "host" } : { kind: "private" },
    endpoints,
    hosts: paths.hosts,
    hostname: paths.hostnameFile,
    resolvConf: paths.resolvConf,
  };
}

export function attachEndpoints(ctx: NativeContext, plan: NetworkPlan, pid: number): void {
  if (plan.endpoints.length > 0) ctx.network.attach(plan.endpoints, pid);
  else if (plan.namespace.kind === "private") ctx.network.loopbackOnly(pid);
}

/** Joins the networks of the spec; call it in the transaction that records the container. */
export function joinNetworks(ctx: NativeContext, { key, facts }: ContainerRecord): void {
  for (const { name, aliases, ipv4, ipv6, macAddress } of facts.spec.networks) ctx.network.join(key, { network: name, aliases, ipv4, ipv6, macAddress });
}

/** Where one container stands in its networks. */
export interface NetworkStanding {
  readonly memberships: readonly Membership[];
  /** None while it does not run. */
  readonly endpoints: readonly Endpoint[];
  /** Of the network of that name. */
  readonly idOf: (network: string) => string | undefined;
}

export function standingOf(ctx: NativeContext, record: ContainerRecord): NetworkStanding {
  const { idOf } = ctx.network;
  const { mode } = record.facts.spec.networkMode;
  if (mode === "host" || mode === "none" || mode === "container") return { memberships: [], endpoints: [], idOf };
  return {
    memberships: ctx.network.memberships(record.key),
    endpoints: isRunning(record) ? ctx.network.endpoints(record.key) : [],
    idOf,
  };
}

/** A container's networks as inspect shows them: with addresses while it runs, else as they are asked for. */
export function networkDetails(ctx: NativeContext, record: ContainerRecord, standing = standingOf(ctx, record)): NetworkAttachmentDetail[] {
  const { mode } = record.facts.spec.networkMode;
  if (mode === "container") return [];
  if (mode === "host" || mode === "none") return [{ network: mode, aliases: [], networkId: ctx.network.predefinedId(mode) }];
  const { memberships, endpoints, idOf } = standing;
  return memberships.map(({ network, aliases }) => {
    const shown = { network, aliases: predefinedNetworks.includes(network) ? [] : [...aliases, shortId(record.hexId)] };
    const endpoint = endpoints.find((one) => one.network === network);
    return endpoint === undefined ? { ...shown, networkId: idOf(network) } : { ...shown, ...addressDetails(endpoint) };
  });
}

function addressDetails({ networkId, ipv4, ipv6, macAddress, gateway, prefix }: Endpoint): Omit<NetworkAttachmentDetail, "network" | "aliases"> {
  return { networkId, ipv4, ipv6: ipv6?.address, macAddress, gateway, prefix };
}

/** Start and end of a run are a coming and going in its networks, too. */
export function recordConnections(ctx: NativeContext, record: ContainerRecord, action: "connect" | "disconnect", time?: Date): void {
  for (const { network, networkId } of networkDetails(ctx, record)) {
    if (networkId !== undefined) recordConnection(ctx, record, action, { name: network, id: networkId }, time);
  }
}

export function recordConnection(
  ctx: NativeContext,
  { hexId }: ContainerRecord,
  action: "connect" | "disconnect",
  network: { readonly name: string; readonly id: string },
  time?: Date,
): void {
  const type = network.name === "host" || network.name === "none" ? network.name : "bridge";
  ctx.journal.record({ type: "network", action, actor: { id: network.id, attributes: { name: network.name, type, container: hexId } }, time });
}

/** The default network first, then by name (contract method 14). */
export function mainAddress({ endpoints }: NetworkStanding): string | undefined {
  const byName = endpoints.toSorted((a, b) => (a.network < b.network ? -1 : 1));
  return (byName.find(({ network }) => network === "bridge") ?? byName[0])?.ipv4;
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
    endpoints: [],
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
