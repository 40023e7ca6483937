/** The networks facet of the mock, by the rules of every backend. */
import { BerthError } from "../../errors.ts";
import type { NetworkConnectOptions, NetworkDetails, NetworksFacet } from "../../runtime/extras.ts";
import type { NetworkAttachmentDetail } from "../../runtime/types.ts";
import { completeConnection } from "../../spec/complete-attachments.ts";
import { type ContainerId, shortId } from "../../spec/container-id.ts";
import { matchesLabels } from "../../runtime/label-filter.ts";
import { predefinedNetworks } from "../../spec/network-options.ts";
import type { Container } from "./container.ts";
import type { MockEndpoint, MockNetworkRecord } from "./networks.ts";
import type { World } from "./world.ts";

/** `begin` throws when the runtime is closed or the call aborted. */
export function mockNetworksFacet(world: World, begin: (signal: AbortSignal | undefined) => void): NetworksFacet {
  const after = async <T>(signal: AbortSignal | undefined, work: () => T | Promise<T>): Promise<T> => {
    begin(signal);
    return work();
  };
  return {
    create: (options, o) =>
      after(o?.signal, () => {
        const details = detailsOf(world, world.networks.create(options));
        world.journal.record(networkEvent("create", details));
        return details;
      }),
    inspect: (nameOrId, o) => after(o?.signal, () => find(world, nameOrId)),
    list: (o) => after(o?.signal, () => allDetails(world)),
    remove: (nameOrId, o) => after(o?.signal, () => remove(world, find(world, nameOrId))),
    connect: (nameOrId, id, options, o) => after(o?.signal, () => connect(world, find(world, nameOrId), id, options ?? {})),
    disconnect: (nameOrId, id, o) => after(o?.signal, () => disconnect(world, find(world, nameOrId), id)),
    prune: (o) => after(o?.signal, () => prune(world, o ?? {})),
  };
}

/** A container's networks as inspect shows them: with addresses while it runs, else as they are asked for. */
export function networkDetails(world: World, container: Container): readonly NetworkAttachmentDetail[] {
  const { mode } = container.spec.networkMode;
  if (mode === "container") return [];
  if (mode === "host" || mode === "none") return [{ network: mode, aliases: [], networkId: world.networks.predefinedId(mode) }];
  const endpoints = world.networks.endpoints(container.key);
  return world.networks.memberships(container.key).map(({ name, aliases }) => {
    const shown = { network: name, aliases: predefinedNetworks.includes(name) ? [] : [...aliases, shortId(container.setup.hexId)] };
    const endpoint = endpoints.find(({ network }) => network === name);
    return { ...shown, ...(endpoint === undefined ? { networkId: idOf(world, name) } : addressDetails(endpoint)) };
  });
}

/** Start and end of a run are a coming and going in its networks, too. */
export function recordConnections(world: World, container: Container, action: "connect" | "disconnect"): void {
  for (const { network, networkId } of networkDetails(world, container)) {
    if (networkId !== undefined) recordConnection(world, container, action, { name: network, id: networkId });
  }
}

function recordConnection(world: World, { setup }: Container, action: string, { name, id }: { readonly name: string; readonly id: string }): void {
  const type = name === "host" || name === "none" ? name : "bridge";
  world.journal.record({ type: "network", action, actor: { id, attributes: { name, type, container: setup.hexId } } });
}

function networkEvent(action: string, { id, name, driver }: NetworkDetails): Parameters<World["journal"]["record"]>[0] {
  return { type: "network", action, actor: { id, attributes: { name, type: driver } } };
}

function remove(world: World, details: NetworkDetails): void {
  if (predefinedNetworks.includes(details.name))
    throw new BerthError("conflict", `network ${details.name} is predefined and cannot be removed`, { id: details.name });
  world.networks.remove(details.name);
  world.journal.record(networkEvent("destroy", details));
}

function prune(world: World, o: NonNullable<Parameters<NetworksFacet["prune"]>[0]>): { deleted: string[] } {
  const unused = allDetails(world).filter(
    ({ name, createdAt, labels }) =>
      !predefinedNetworks.includes(name) &&
      !world.networks.isUsed(name) &&
      (o.until === undefined || (createdAt !== undefined && createdAt < o.until)) &&
      matchesLabels(labels, o.labels ?? []),
  );
  for (const details of unused) remove(world, details);
  return { deleted: unused.map(({ name }) => name) };
}

function connect(world: World, network: NetworkDetails, id: ContainerId, options: NetworkConnectOptions): Promise<void> {
  const { name } = network;
  refuseModes(name, "connected to");
  const member = { name, ...completeConnection(name, { ...options }, "connect") };
  const { key } = world.get(id);
  return world.locks.run(key, async () => {
    const container = world.get(id);
    refuseForeignNamespace(container, name);
    world.networks.join(key, member);
    if (!container.isRunning) return;
    try {
      world.networks.lease(key, member);
    } catch (error) {
      world.networks.leave(key, name);
      throw error;
    }
    recordConnection(world, container, "connect", network);
  });
}

function disconnect(world: World, network: NetworkDetails, id: ContainerId): Promise<void> {
  const { name } = network;
  refuseModes(name, "disconnected from");
  const { key } = world.get(id);
  return world.locks.run(key, async () => {
    const container = world.get(id);
    if (!world.networks.leave(key, name)) {
      throw new BerthError("conflict", `container ${container.name} is not connected to network ${name}`, { id: key });
    }
    if (container.isRunning) recordConnection(world, container, "disconnect", network);
  });
}

function refuseModes(network: string, what: string): void {
  if (network !== "host" && network !== "none") return;
  throw new BerthError("conflict", `a container cannot be ${what} network ${network} once it is made; create it with network mode ${network}`, { id: network });
}

function refuseForeignNamespace({ key, name, spec }: Container, network: string): void {
  const { mode } = spec.networkMode;
  if (mode === "default" || mode === "bridge") return;
  throw new BerthError("conflict", `container ${name} cannot be connected to network ${network}: it has network mode ${mode}`, { id: key });
}

/** Name, id or unique prefix of the id; a name wins. */
function find(world: World, reference: string): NetworkDetails {
  const all = allDetails(world);
  const exact = all.find(({ name }) => name === (reference === "default" ? "bridge" : reference)) ?? all.find(({ id }) => id === reference);
  if (exact !== undefined) return exact;
  const [found, ...others] = /^[0-9a-f]+$/.test(reference) ? all.filter(({ id }) => id.startsWith(reference)) : [];
  if (others.length > 0) throw new BerthError("invalid_spec", `several networks have an id that starts with ${reference}; give more digits`);
  if (found === undefined) throw new BerthError("not_found", `no network ${reference}; create it first`, { id: reference, reason: "no such network" });
  return found;
}

function allDetails(world: World): NetworkDetails[] {
  const all = [...world.networks.list().map((network) => detailsOf(world, network)), predefined(world, "host"), predefined(world, "none")];
  return all.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function predefined(world: World, name: "host" | "none"): NetworkDetails {
  const running = [...world.containers.values()].filter(({ spec, isRunning }) => spec.networkMode.mode === name && isRunning);
  const containers = running.map((container) => ({ hexId: container.setup.hexId, containerId: container.setup.id, name: container.name, aliases: [] }));
  const id = world.networks.predefinedId(name);
  return { id, name, driver: name, internal: false, enableIpv6: false, subnets: [], labels: {}, options: {}, containers };
}

function detailsOf(world: World, network: MockNetworkRecord): NetworkDetails {
  const { id, name, internal, ipv4, ipv6, labels, options, createdAt, leases } = network;
  const subnets = ipv6 === undefined ? [ipv4] : [ipv4, ipv6];
  const containers = [...leases].flatMap(([key, endpoint]) => containerOf(world, key, endpoint));
  return { id, name, driver: "bridge", internal, enableIpv6: ipv6 !== undefined, subnets, labels, options, createdAt, containers };
}

function containerOf(world: World, key: string, { network, ipv4, prefix, ipv6, macAddress }: MockEndpoint): NetworkDetails["containers"] {
  const container = world.containers.get(key);
  if (container === undefined) return [];
  const { hexId, id: containerId } = container.setup;
  const aliases = world.networks.memberships(key).find(({ name }) => name === network)?.aliases ?? [];
  const six = ipv6 && `${ipv6.address}/${ipv6.prefix}`;
  return [{ hexId, containerId, name: container.name, aliases, ipv4: `${ipv4}/${prefix}`, ipv6: six, macAddress }];
}

function addressDetails({ networkId, ipv4, ipv6, macAddress, gateway, prefix }: MockEndpoint): Omit<NetworkAttachmentDetail, "network" | "aliases"> {
  return { networkId, ipv4, ipv6: ipv6?.address, macAddress, gateway, prefix };
}

function idOf(world: World, name: string): string | undefined {
  return world.networks.list().find((network) => network.name === name)?.id;
}
