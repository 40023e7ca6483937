/** Records of networks: made, found, removed. Interfaces follow when a container attaches. */
import { randomBytes } from "node:crypto";
import { BerthError } from "../errors.ts";
import type { NetlinkSocket } from "../internal/netlink.ts";
import { ipText, parseIpSubnet } from "../spec/ip.ts";
import { type CompleteNetworkOptions, completeNetworkOptions, type SubnetInput } from "../spec/network-options.ts";
import type { NetworkContext } from "./context.ts";
import { addressToNumber, broadcastOf, contains, numberToAddress, parseSubnet, type Subnet, subnetOf, subnetToText } from "./ipv4.ts";
import { defaultNetwork, networkName } from "./names.ts";
import { allNetworks, deleteNetwork, findNetwork, insertNetwork, leasesOfNetwork } from "./records.ts";
import { atomically } from "./statements.ts";
import { listAddresses } from "./addresses-and-routes.ts";
import { deleteLink, findLink, openRouteSocket } from "./rtnetlink.ts";
import { reloadRules } from "./rules.ts";
import { chooseDefaultSubnet, chooseSubnet, chooseSubnet6, subnetsOfHost, takenBy } from "./subnet-choice.ts";
import type { Network, NetworkRange } from "./types.ts";

export interface NetworkOptions {
  readonly name: string;
  readonly driver?: string | undefined;
  readonly internal?: boolean | undefined;
  readonly enableIpv6?: boolean | undefined;
  /** At most one of each family. Default: a free private /24, and with IPv6 a /64 of a private prefix. */
  readonly subnets?: readonly SubnetInput[] | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly options?: Readonly<Record<string, string>> | undefined;
}

/** Throws `conflict` for a name, subnet or bridge that is taken, `invalid_spec` for what cannot be. */
export function createNetwork(context: NetworkContext, input: NetworkOptions): Network {
  const o = completeNetworkOptions(input);
  return atomically(context.db, () => {
    if (findNetwork(context.db, o.name) !== undefined) throw new BerthError("conflict", `network ${o.name} exists already`, { id: o.name });
    using socket = openRouteSocket();
    const bridge = o.bridgeName ?? context.names.bridge(o.name);
    if (o.bridgeName !== undefined) refuseTakenBridge(context, socket, o.name, o.bridgeName);
    return record(context, {
      ...o,
      bridge,
      ...ipv4Range(context, socket, o),
      ipv6: o.enableIpv6 ? ipv6Range(context, socket, o) : undefined,
    });
  });
}

/** The network of that name; the default one is recorded at its first use. Throws `not_found`. */
export function requireNetwork(context: NetworkContext, name: string): Network {
  const known = networkName(name);
  const found = findNetwork(context.db, known) ?? networkOfId(context, known);
  if (found !== undefined) return found;
  if (known === defaultNetwork) return createDefaultNetwork(context);
  throw new BerthError("not_found", `no network ${known}; create it first`, { id: known, reason: "no such network" });
}

/** Clients of Docker's API name a network by its id, too. */
function networkOfId({ db }: NetworkContext, id: string): Network | undefined {
  if (!/^[0-9a-f]{12,64}$/.test(id)) return undefined;
  const [found, ...others] = allNetworks(db).filter((network) => network.id.startsWith(id));
  return others.length > 0 ? undefined : found;
}

/** Sorted by name. */
export function listNetworks(context: NetworkContext): Network[] {
  requireNetwork(context, defaultNetwork);
  return allNetworks(context.db);
}

/** With its bridge and rules. Throws `conflict` while containers use it. */
export function removeNetwork(context: NetworkContext, name: string): void {
  const known = networkName(name);
  if (known === defaultNetwork) throw new BerthError("conflict", `network ${known} is predefined and cannot be removed`, { id: known });
  atomically(context.db, () => {
    const network = requireNetwork(context, known);
    const users = leasesOfNetwork(context.db, known).map(({ key }) => key);
    if (users.length > 0) {
      throw new BerthError("conflict", `network ${known} is in use by ${users.slice(0, 5).join(", ")}; stop or disconnect what runs there first`, {
        id: known,
      });
    }
    removeBridge(context, network);
    deleteNetwork(context.db, known);
    reloadRules(context);
  });
}

/** Takes a network's bridge off the host; its record stays. */
export function removeBridge(context: NetworkContext, network: Network): void {
  context.completeBridges.delete(network.bridge);
  using socket = openRouteSocket();
  if (findLink(socket, network.bridge)?.kind === "bridge") socket.request([deleteLink(network.bridge)]);
}

function createDefaultNetwork(context: NetworkContext): Network {
  return atomically(context.db, () => {
    const found = findNetwork(context.db, defaultNetwork);
    if (found !== undefined) return found;
    using socket = openRouteSocket();
    const { poolStart } = context.names;
    const bridge = context.names.bridge(defaultNetwork);
    const left = subnetOfBridge(socket, bridge);
    const taken = takenIpv4(context, socket);
    const subnet = left ?? required(chooseDefaultSubnet(taken, poolStart) ?? chooseSubnet(taken, poolStart));
    return record(context, {
      name: defaultNetwork,
      bridge,
      internal: false,
      labels: {},
      options: {},
      subnet: subnetToText(subnet),
      gateway: firstHost(subnet),
    });
  });
}

/** A bridge with our name outlives a state directory that was deleted: its subnet is taken over, not collided with. */
function subnetOfBridge(socket: NetlinkSocket, bridge: string): Subnet | undefined {
  const link = findLink(socket, bridge);
  const address = link && listAddresses(socket).find(({ index }) => index === link.index);
  return address && subnetOf(addressToNumber(address.address), address.prefix);
}

function ipv4Range(context: NetworkContext, socket: NetlinkSocket, o: CompleteNetworkOptions): NetworkRange {
  if (o.ipv4 !== undefined) {
    refuseTakenSubnet(context, socket, o.name, o.ipv4.subnet);
    return { ...o.ipv4, gateway: o.ipv4.gateway ?? firstHost(parseSubnet(o.ipv4.subnet)) };
  }
  const subnet = required(chooseSubnet(takenIpv4(context, socket), context.names.poolStart));
  return { subnet: subnetToText(subnet), gateway: firstHost(subnet) };
}

function ipv6Range(context: NetworkContext, socket: NetlinkSocket, o: CompleteNetworkOptions): NetworkRange {
  if (o.ipv6 !== undefined) refuseTakenSubnet(context, socket, o.name, o.ipv6.subnet);
  const { subnet, gateway, ipRange } = o.ipv6 ?? { subnet: required(chooseSubnet6(takenBy(allNetworks(context.db), socket, 6), context.names.pool6, o.name)) };
  return { subnet, ipRange, gateway: gateway ?? ipText({ family: 6, value: parseIpSubnet(subnet).first + 1n }) };
}

function refuseTakenSubnet(context: NetworkContext, socket: NetlinkSocket, name: string, text: string): void {
  const wanted = parseIpSubnet(text);
  const clash = takenBy(allNetworks(context.db), socket, wanted.family).find((other) => other.overlaps(wanted));
  if (clash === undefined) return;
  throw new BerthError("conflict", `subnet ${text} of network ${name} overlaps ${clash.text}, which is in use ${clash.where}; choose another`, { id: name });
}

function refuseTakenBridge(context: NetworkContext, socket: NetlinkSocket, name: string, bridge: string): void {
  const owner = allNetworks(context.db).find((other) => other.bridge === bridge);
  if (owner === undefined && findLink(socket, bridge) === undefined) return;
  const where = owner === undefined ? "an interface of this host has that name" : `network ${owner.name} has it`;
  throw new BerthError("conflict", `cannot make bridge ${bridge} for network ${name}: ${where}; choose another`, { id: name });
}

function takenIpv4(context: NetworkContext, socket: NetlinkSocket): Subnet[] {
  return [...allNetworks(context.db).map(({ subnet }) => parseSubnet(subnet)), ...subnetsOfHost(socket)];
}

function record(context: NetworkContext, o: Omit<Network, "id" | "driver" | "createdAt">): Network {
  const network: Network = {
    id: randomBytes(32).toString("hex"),
    name: o.name,
    driver: "bridge",
    bridge: o.bridge,
    subnet: o.subnet,
    gateway: o.gateway,
    internal: o.internal,
    labels: o.labels,
    createdAt: new Date(),
    ipRange: o.ipRange,
    ipv6: o.ipv6,
    options: o.options,
    mtu: o.mtu,
  };
  insertNetwork(context.db, network, parseSubnet(o.ipRange ?? o.subnet).first - (o.ipRange === undefined ? 0 : 1));
  return network;
}

/** Throws `invalid_spec` unless a host may have this address in the subnet. */
export function requireUsable(subnet: Subnet, address: string, what: string): void {
  const number = addressToNumber(address);
  if (!contains(subnet, number) || number === subnet.first || number === broadcastOf(subnet)) {
    throw new BerthError("invalid_spec", `${what} ${address} is no usable address of subnet ${subnetToText(subnet)}`);
  }
}

function firstHost(subnet: Subnet): string {
  return numberToAddress(subnet.first + 1);
}

function required<T>(subnet: T | undefined): T {
  if (subnet === undefined)
    throw new BerthError("network", "every subnet in berth's pool collides with a route of this host; name one when you create the network");
  return subnet;
}
