/** Leases: which address and which host ports a container has. */
import { BerthError } from "../errors.ts";
import { call } from "../internal/libc.ts";
import type { PortMapping } from "../spec/service-spec.ts";
import type { NetworkContext } from "./context.ts";
import { addressToNumber, broadcastOf, macOf, numberToAddress, parseSubnet } from "./ipv4.ts";
import { requireNetwork, requireUsable } from "./networks.ts";
import { checkMappings, reservePorts } from "./ports.ts";
import {
  atomically,
  deleteOfKey,
  findNetwork,
  insertLease,
  type Lease,
  lastAddress,
  leaseOfAddress,
  leasesOfKey,
  portsOfKey,
  setLastAddress,
} from "./records.ts";
import { deleteLink, openRouteSocket } from "./rtnetlink.ts";
import { unpublish } from "./rules.ts";
import type { Endpoint, Network, PortBinding } from "./types.ts";

const innerName = "eth0";

export interface AllocateOptions {
  /** Name of the network; `bridge` or `default` is the default one. */
  readonly network: string;
  readonly ports: readonly PortMapping[];
  /** Default: the next free address, so that one just given back rests as long as possible. */
  readonly requestedIp?: string | undefined;
}

/**
 * Leases an address and reserves the ports, all or nothing. What an earlier start of the same key left is given back first.
 * Throws `not_found` (network), `invalid_spec`, `start_failed` (address or port taken), `network` (no address left).
 */
export function allocate(context: NetworkContext, key: string, o: AllocateOptions): Endpoint {
  const mappings = checkMappings(o.ports);
  return atomically(context.db, () => {
    const network = requireNetwork(context, o.network);
    forget(context, key);
    const address = o.requestedIp === undefined ? nextAddress(context, network) : requestedAddress(context, network, o.requestedIp, key);
    const lease = { key, network: network.name, interfaceName: innerName, address, mac: macOf(address) };
    insertLease(context.db, lease);
    return endpointOf(context, network, lease, reservePorts(context, { key, address, mappings }));
  });
}

/** What a key holds now. */
export function endpointsOf(context: NetworkContext, key: string): Endpoint[] {
  const ports = portsOfKey(context.db, key);
  return leasesOfKey(context.db, key).flatMap((lease) => {
    const network = findNetwork(context.db, lease.network);
    return network === undefined ? [] : endpointOf(context, network, lease, ports.filter(({ address }) => address === lease.address).map(toBinding));
  });
}

/** Names of the host's ends that a key may have. */
export function hostInterfacesOf(context: NetworkContext, key: string): string[] {
  return leasesOfKey(context.db, key).map((lease) => context.names.hostInterface(key, lease.interfaceName));
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

function endpointOf(context: NetworkContext, network: Network, lease: Lease, ports: readonly PortBinding[]): Endpoint {
  return {
    key: lease.key,
    network: network.name,
    bridge: network.bridge,
    interfaceName: lease.interfaceName,
    hostInterface: context.names.hostInterface(lease.key, lease.interfaceName),
    ipv4: lease.address,
    prefix: parseSubnet(network.subnet).prefix,
    macAddress: lease.mac,
    gateway: network.gateway,
    internal: network.internal,
    ports,
  };
}

function toBinding({ protocol, hostIp, hostPort, containerPort }: PortBinding): PortBinding {
  return { protocol, hostIp, hostPort, containerPort };
}

function requestedAddress(context: NetworkContext, network: Network, address: string, key: string): string {
  requireUsable(parseSubnet(network.subnet), address, "address");
  const owner = leaseOfAddress(context.db, network.name, address)?.key ?? (address === network.gateway ? "the gateway" : undefined);
  if (owner === undefined) return address;
  const reason = `address already in use by ${owner}`;
  throw new BerthError("start_failed", `cannot give ${address} of network ${network.name} to ${key}: ${reason}`, { id: key, reason });
}

function nextAddress(context: NetworkContext, network: Network): string {
  const subnet = parseSubnet(network.subnet);
  const [lowest, highest] = [subnet.first + 1, broadcastOf(subnet) - 1];
  const gateway = addressToNumber(network.gateway);
  let candidate = lastAddress(context.db, network.name);
  for (let tried = lowest; tried <= highest; tried += 1) {
    candidate = candidate >= highest ? lowest : candidate + 1;
    const address = numberToAddress(candidate);
    if (candidate === gateway || leaseOfAddress(context.db, network.name, address) !== undefined) continue;
    setLastAddress(context.db, network.name, candidate);
    return address;
  }
  throw new BerthError("network", `network ${network.name} (${network.subnet}) has no free address; remove containers or create a larger network`, {
    id: network.name,
  });
}
