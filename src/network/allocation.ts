/** Leases: which addresses and which host ports a container has. */
import { BerthError } from "../errors.ts";
import { call } from "../internal/libc.ts";
import { parseIpSubnet } from "../spec/ip.ts";
import type { PortMapping } from "../spec/service-spec.ts";
import { address6, nextAddress, requestedAddress } from "./addresses.ts";
import type { NetworkContext } from "./context.ts";
import { macOf, parseSubnet } from "./ipv4.ts";
import { requireNetwork } from "./networks.ts";
import { checkMappings, reservePorts } from "./ports.ts";
import { deleteOfKey, findNetwork, insertLease, type Lease, leasesOfKey, type PublishedPort, portsOfKey } from "./records.ts";
import { atomically } from "./statements.ts";
import { deleteLink, openRouteSocket } from "./rtnetlink.ts";
import { unpublish } from "./rules.ts";
import type { Endpoint, Membership, Network, PortBinding } from "./types.ts";

export interface AllocateOptions {
  /** In this order they become eth0, eth1, … At least one. */
  readonly members: readonly Membership[];
  readonly ports: readonly PortMapping[];
}

/**
 * Leases an address in every network and reserves the ports, all or nothing. What an earlier start of the same key left is
 * given back first. Throws `not_found` (network), `invalid_spec`, `start_failed` (address or port taken), `network` (no
 * address left).
 */
export function allocate(context: NetworkContext, key: string, o: AllocateOptions): Endpoint[] {
  const mappings = checkMappings(o.ports);
  return atomically(context.db, () => {
    const networks = o.members.map((member) => requireNetwork(context, member.network));
    forget(context, key);
    const leases = o.members.map((member, index) => lease(context, key, networks[index] ?? requireNetwork(context, member.network), member, `eth${index}`));
    const bare = leases.map((one, index) => endpointOf(context, networks[index] ?? requireNetwork(context, one.network), one, []));
    const carrier = gatewayEndpoint(bare);
    if (carrier === undefined) throw new BerthError("internal", `${key} is to be in no network`);
    const bindings = reservePorts(context, { key, target: { ipv4: carrier.ipv4, ipv6: carrier.ipv6?.address }, mappings });
    return bare.map((endpoint) => (endpoint === carrier ? { ...endpoint, ports: bindings } : endpoint));
  });
}

/** One more lease, for a container that runs. Call it inside a transaction. */
export function allocateFurther(context: NetworkContext, key: string, member: Membership): Endpoint {
  const network = requireNetwork(context, member.network);
  const used = new Set(leasesOfKey(context.db, key).map(({ interfaceName }) => interfaceName));
  let index = 0;
  while (used.has(`eth${index}`)) index += 1;
  return endpointOf(context, network, lease(context, key, network, member, `eth${index}`), []);
}

/** Carries the default route and the published ports: the first that has a way out, else the first. */
export function gatewayEndpoint<T extends Pick<Endpoint, "internal">>(endpoints: readonly T[]): T | undefined {
  return endpoints.find(({ internal }) => !internal) ?? endpoints[0];
}

/** What a key holds now, in the order of the interfaces. */
export function endpointsOf(context: NetworkContext, key: string): Endpoint[] {
  return endpointsFrom(context, {
    leases: leasesOfKey(context.db, key),
    ports: portsOfKey(context.db, key),
    networkOf: (name) => findNetwork(context.db, name),
  });
}

export interface Holdings {
  /** Of one key, in the order of the interfaces. */
  readonly leases: readonly Lease[];
  readonly ports: readonly PublishedPort[];
  readonly networkOf: (name: string) => Network | undefined;
}

export function endpointsFrom(context: NetworkContext, { leases, ports, networkOf }: Holdings): Endpoint[] {
  return leases.flatMap((one) => {
    const network = networkOf(one.network);
    const mine = ports.filter(({ address }) => address === one.address || address === one.address6);
    return network === undefined ? [] : endpointOf(context, network, one, inOrder(mine).map(toBinding));
  });
}

/** Names of the host's ends that a key may have. */
export function hostInterfacesOf(context: NetworkContext, key: string): string[] {
  return leasesOfKey(context.db, key).map((one) => context.names.hostInterface(key, one.interfaceName));
}

/** Gives everything of a key back at once. The kernel takes tens of milliseconds when a veth pair is still there. */
export function forget(context: NetworkContext, key: string): void {
  const leases = leasesOfKey(context.db, key);
  const ports = portsOfKey(context.db, key);
  if (leases.length === 0 && ports.length === 0) return;
  unpublish(context, ports);
  deleteLinks(hostInterfacesOf(context, key));
  deleteOfKey(context.db, key);
}

export function deleteLinks(names: readonly string[]): void {
  const present = names.filter(linkExists);
  if (present.length === 0) return;
  using socket = openRouteSocket();
  socket.request(present.map(deleteLink));
}

/** Does not wait for the kernel's lock on network configuration, which the removal of any device holds for long. */
export function linkExists(name: string): boolean {
  return call("unsigned int if_nametoindex(const char *name)", name, name) !== 0;
}

function lease(context: NetworkContext, key: string, network: Network, member: Membership, interfaceName: string): Lease {
  const address = member.ipv4 === undefined ? nextAddress(context, network) : requestedAddress(context, network, member.ipv4, key);
  const six = address6(context, network, { ipv4: address, requested: member.ipv6, key });
  const made = { key, network: network.name, interfaceName, address, mac: member.macAddress ?? macOf(address), address6: six };
  insertLease(context.db, made);
  return made;
}

function endpointOf(context: NetworkContext, network: Network, one: Lease, ports: readonly PortBinding[]): Endpoint {
  const { ipv6 } = network;
  return {
    key: one.key,
    network: network.name,
    networkId: network.id,
    bridge: network.bridge,
    interfaceName: one.interfaceName,
    hostInterface: context.names.hostInterface(one.key, one.interfaceName),
    ipv4: one.address,
    prefix: parseSubnet(network.subnet).prefix,
    macAddress: one.mac,
    gateway: network.gateway,
    ipv6: ipv6 && one.address6 !== undefined ? { address: one.address6, prefix: parseIpSubnet(ipv6.subnet).prefix, gateway: ipv6.gateway } : undefined,
    internal: network.internal,
    ports,
  };
}

/** IPv4 before IPv6, as they were reserved. */
function inOrder(ports: readonly PublishedPort[]): PublishedPort[] {
  return ports.toSorted((a, b) => a.containerPort - b.containerPort || (a.protocol < b.protocol ? -1 : a.protocol > b.protocol ? 1 : 0));
}

function toBinding({ protocol, hostIp, hostPort, containerPort }: PortBinding): PortBinding {
  return { protocol, hostIp, hostPort, containerPort };
}
