/** The networks facet: networks as records, and containers that join and leave them. */
import { BerthError } from "../../errors.ts";
import type { Network } from "../../network/types.ts";
import type { NetworkConnectOptions, NetworkDetails, NetworksFacet } from "../../runtime/extras.ts";
import { completeConnection } from "../../spec/complete-attachments.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import { matchesLabels } from "../../runtime/label-filter.ts";
import { predefinedNetworks } from "../../spec/network-options.ts";
import { recordConnection } from "./container-network.ts";
import type { ContainerRecord } from "./container-store.ts";
import { mustGet, type NativeContext, serialised } from "./context.ts";
import type { ContainerPaths } from "./layout.ts";
import { rewriteNetworkFiles } from "./network-files.ts";
import { isRunning, settle } from "./run-state.ts";

export function networksFacet(ctx: NativeContext): NetworksFacet {
  const begin = (o: { readonly signal?: AbortSignal | undefined } | undefined): void => o?.signal?.throwIfAborted();
  return {
    create: async (options, o) => {
      begin(o);
      return detailsOf(ctx, createNetwork(ctx, options));
    },
    inspect: async (nameOrId, o) => {
      begin(o);
      return mustFind(ctx, nameOrId);
    },
    list: async (o) => {
      begin(o);
      return everyNetwork(ctx).map((network) => network.details());
    },
    remove: async (nameOrId, o) => {
      begin(o);
      await removeNetwork(ctx, mustFind(ctx, nameOrId));
    },
    connect: async (nameOrId, id, options, o) => {
      begin(o);
      await connect(ctx, mustFind(ctx, nameOrId), id, options ?? {});
    },
    disconnect: async (nameOrId, id, o) => {
      begin(o);
      await disconnect(ctx, mustFind(ctx, nameOrId), id);
    },
    prune: async (o) => {
      begin(o);
      return prune(ctx, o ?? {});
    },
  };
}

function createNetwork(ctx: NativeContext, options: Parameters<NetworksFacet["create"]>[0]): Network {
  return ctx.store.atomically(() => {
    const network = ctx.network.createNetwork(options);
    recordNetwork(ctx, "create", network);
    return network;
  });
}

async function removeNetwork(ctx: NativeContext, details: NetworkDetails): Promise<void> {
  if (predefinedNetworks.includes(details.name)) {
    throw new BerthError("conflict", `network ${details.name} is predefined and cannot be removed`, { id: details.name });
  }
  ctx.store.atomically(() => {
    ctx.network.removeNetwork(details.name);
    recordNetwork(ctx, "destroy", details);
  });
}

/** Those that no container is in, running or not. */
async function prune(ctx: NativeContext, o: NonNullable<Parameters<NetworksFacet["prune"]>[0]>): Promise<{ deleted: string[] }> {
  const deleted: string[] = [];
  for (const network of ctx.network.listNetworks()) {
    const isOld = o.until === undefined || network.createdAt < o.until;
    if (predefinedNetworks.includes(network.name) || !isOld || !matchesLabels(network.labels, o.labels ?? [])) continue;
    if (ctx.network.members(network.name, { all: true }).length > 0 || ctx.network.members(network.name).length > 0) continue;
    o.signal?.throwIfAborted();
    await removeNetwork(ctx, detailsOf(ctx, network));
    deleted.push(network.name);
  }
  return { deleted };
}

async function connect(ctx: NativeContext, { name, id }: NetworkDetails, container: ContainerId, options: NetworkConnectOptions): Promise<void> {
  mustGet(ctx, container);
  refuseModes(name, "connected to");
  const member = { network: name, ...completeConnection(name, { ...options }, "connect") };
  await serialised(ctx, container, async (paths) => {
    const record = settle(ctx, mustGet(ctx, container));
    refuseForeignNamespace(record, name);
    if (!isRunning(record) || record.run.pid === undefined) {
      ctx.store.atomically(() => ctx.network.join(record.key, member));
      return;
    }
    const before = ctx.network.endpoints(record.key);
    ctx.network.connect(record.key, member, record.run.pid);
    rewriteNetworkFiles(ctx, record, paths, { before, after: ctx.network.endpoints(record.key) });
    await ctx.network.namesChanged(ctx.network.endpoints(record.key));
    finishChange(ctx, record, "connect", { name, id });
  });
}

async function disconnect(ctx: NativeContext, network: NetworkDetails, id: ContainerId): Promise<void> {
  const { name } = network;
  mustGet(ctx, id);
  refuseModes(name, "disconnected from");
  await serialised(ctx, id, async (paths) => {
    const record = settle(ctx, mustGet(ctx, id));
    if (!ctx.network.memberships(record.key).some((member) => member.network === name)) {
      throw new BerthError("conflict", `container ${record.name} is not connected to network ${name}`, { id: record.key });
    }
    if (!isRunning(record)) {
      ctx.network.leave(record.key, name);
      return;
    }
    await leaveRunning(ctx, record, paths, network);
  });
}

/** Also what recovery does with a change that was cut off. Call it with the container's lock. */
export async function leaveRunning(
  ctx: NativeContext,
  record: ContainerRecord,
  paths: ContainerPaths,
  network: { readonly name: string; readonly id: string },
): Promise<void> {
  const before = ctx.network.endpoints(record.key);
  ctx.network.disconnect(record.key, network.name, isRunning(record) ? record.run.pid : undefined);
  if (isRunning(record)) rewriteNetworkFiles(ctx, record, paths, { before, after: before.filter((endpoint) => endpoint.network !== network.name) });
  finishChange(ctx, record, "disconnect", network);
  await ctx.network.namesChanged(before);
}

function finishChange(
  ctx: NativeContext,
  record: ContainerRecord,
  action: "connect" | "disconnect",
  network: { readonly name: string; readonly id: string },
): void {
  ctx.store.atomically(() => {
    ctx.network.finishChange(record.key, network.name);
    const ports = ctx.network.ports(record.key);
    ctx.store.updateRun(record.key, (run) => (run.status === "running" ? { ...run, ports } : undefined));
    recordConnection(ctx, record, action, network);
  });
}

function refuseModes(network: string, what: string): void {
  if (network !== "host" && network !== "none") return;
  throw new BerthError("conflict", `a container cannot be ${what} network ${network} once it is made; create it with network mode ${network}`, { id: network });
}

function refuseForeignNamespace({ key, name, facts }: ContainerRecord, network: string): void {
  const { mode } = facts.spec.networkMode;
  if (mode !== "host" && mode !== "container" && mode !== "none") return;
  const why = mode === "none" ? "it has network mode none" : `it shares the network of ${mode === "host" ? "the host" : "another container"}`;
  throw new BerthError("conflict", `container ${name} cannot be connected to network ${network}: ${why}`, { id: key });
}

/** Name, id or unique prefix of the id; a name wins. */
function mustFind(ctx: NativeContext, reference: string): NetworkDetails {
  const all = everyNetwork(ctx);
  const exact = all.find(({ name }) => name === (reference === "default" ? "bridge" : reference)) ?? all.find(({ id }) => id === reference);
  if (exact !== undefined) return exact.details();
  const [found, ...others] = /^[0-9a-f]+$/.test(reference) ? all.filter(({ id }) => id.startsWith(reference)) : [];
  if (others.length > 0) throw new BerthError("invalid_spec", `several networks have an id that starts with ${reference}; give more digits`);
  if (found === undefined) throw new BerthError("not_found", `no network ${reference}; create it first`, { id: reference, reason: "no such network" });
  return found.details();
}

/** Sorted by name; who is in it is looked up for those that are asked about. */
function everyNetwork(ctx: NativeContext): { readonly name: string; readonly id: string; details(): NetworkDetails }[] {
  const bridges = ctx.network.listNetworks().map((network) => ({ name: network.name, id: network.id, details: () => detailsOf(ctx, network) }));
  const others = (["host", "none"] as const).map((name) => ({ name, id: ctx.network.predefinedId(name), details: () => predefined(ctx, name) }));
  return [...bridges, ...others].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function predefined(ctx: NativeContext, name: "host" | "none"): NetworkDetails {
  const inMode = ctx.store.list().filter((record) => record.facts.spec.networkMode.mode === name && isRunning(record));
  const containers = inMode.map((record) => ({ hexId: record.hexId, containerId: record.facts.id, name: record.name, aliases: [] }));
  const id = ctx.network.predefinedId(name);
  return { id, name, driver: name, internal: false, enableIpv6: false, subnets: [], labels: {}, options: {}, containers };
}

function detailsOf(ctx: NativeContext, network: Network): NetworkDetails {
  const { id, name, driver, internal, labels, options, createdAt, ipv6, subnet, gateway, ipRange } = network;
  return {
    id,
    name,
    driver,
    internal,
    enableIpv6: ipv6 !== undefined,
    subnets: [{ subnet, gateway, ipRange }, ...(ipv6 === undefined ? [] : [ipv6])],
    labels,
    options,
    createdAt,
    containers: ctx.network.members(name).flatMap((key) => containerOf(ctx, key, name)),
  };
}

function containerOf(ctx: NativeContext, key: string, network: string): NetworkDetails["containers"] {
  const record = ctx.store.get(key);
  const endpoint = ctx.network.endpoints(key).find((one) => one.network === network);
  if (record === undefined || endpoint === undefined) return [];
  const { ipv4, prefix, ipv6, macAddress } = endpoint;
  const aliases = ctx.network.memberships(key).find((member) => member.network === network)?.aliases ?? [];
  const six = ipv6 && `${ipv6.address}/${ipv6.prefix}`;
  return [{ hexId: record.hexId, containerId: record.facts.id, name: record.name, aliases, ipv4: `${ipv4}/${prefix}`, ipv6: six, macAddress }];
}

function recordNetwork(ctx: NativeContext, action: string, { id, name, driver }: Pick<NetworkDetails, "id" | "name" | "driver">): void {
  ctx.journal.record({ type: "network", action, actor: { id, attributes: { name, type: driver } } });
}
