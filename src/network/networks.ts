/** Records of networks: made, found, removed. Interfaces follow when a container attaches. */
import { randomUUID } from "node:crypto";
import { BerthError } from "../errors.ts";
import type { NetlinkSocket } from "../internal/netlink.ts";
import type { NetworkContext } from "./context.ts";
import { addressToNumber, broadcastOf, contains, numberToAddress, overlaps, parseSubnet, type Subnet, subnetOf, subnetToText } from "./ipv4.ts";
import { defaultNetwork, networkName } from "./names.ts";
import { allNetworks, atomically, deleteNetwork, findNetwork, insertNetwork, leasesOfNetwork } from "./records.ts";
import { deleteLink, findLink, listAddresses, openRouteSocket } from "./rtnetlink.ts";
import { reloadRules } from "./rules.ts";
import { chooseDefaultSubnet, chooseSubnet, subnetsOfHost } from "./subnet-choice.ts";
import type { Network } from "./types.ts";

const longestPrefix = 29;

export interface NetworkOptions {
  readonly name: string;
  /** IPv4, /8 to /29. Default: a free private /24. */
  readonly subnet?: string | undefined;
  /** The host's address in the subnet. Default: its first. */
  readonly gateway?: string | undefined;
  readonly internal?: boolean | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** Throws `conflict` for a name or subnet that is taken, `invalid_spec` for what cannot be. */
export function createNetwork(context: NetworkContext, o: NetworkOptions): Network {
  const name = networkName(o.name);
  const wanted = o.subnet === undefined ? undefined : usableSubnet(o.subnet);
  return atomically(context.db, () => {
    if (name === defaultNetwork || findNetwork(context.db, name) !== undefined) {
      throw new BerthError("conflict", `network ${name} exists already`, { id: name });
    }
    using socket = openRouteSocket();
    const taken = [...allNetworks(context.db).map(({ subnet }) => parseSubnet(subnet)), ...subnetsOfHost(socket)];
    const clash = wanted && taken.find((other) => overlaps(wanted, other));
    if (clash !== undefined) {
      throw new BerthError("conflict", `subnet ${o.subnet} of network ${name} overlaps ${subnetToText(clash)}, which is in use on this host; choose another`, {
        id: name,
      });
    }
    return record(context, {
      name,
      subnet: wanted ?? required(chooseSubnet(taken, context.names.poolStart)),
      gateway: o.gateway,
      internal: o.internal,
      labels: o.labels,
    });
  });
}

/** The network of that name; the default one is recorded at its first use. Throws `not_found`. */
export function requireNetwork(context: NetworkContext, name: string): Network {
  const known = networkName(name);
  const found = findNetwork(context.db, known);
  if (found !== undefined) return found;
  if (known === defaultNetwork) return createDefaultNetwork(context);
  throw new BerthError("not_found", `no network ${known}; create it first`, { id: known, reason: "no such network" });
}

/** Sorted by name. */
export function listNetworks(context: NetworkContext): Network[] {
  requireNetwork(context, defaultNetwork);
  return allNetworks(context.db);
}

/** With its bridge and rules. Throws `conflict` while containers use it. */
export function removeNetwork(context: NetworkContext, name: string): void {
  const known = networkName(name);
  if (known === defaultNetwork) throw new BerthError("conflict", `network ${known} is the default one and stays`, { id: known });
  atomically(context.db, () => {
    const network = requireNetwork(context, known);
    const users = leasesOfNetwork(context.db, known).map(({ key }) => key);
    if (users.length > 0) {
      throw new BerthError("conflict", `network ${known} is in use by ${users.slice(0, 5).join(", ")}; stop what runs there first`, { id: known });
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
    const left = subnetOfBridge(socket, context.names.bridge(defaultNetwork));
    const taken = [...allNetworks(context.db).map(({ subnet }) => parseSubnet(subnet)), ...subnetsOfHost(socket)];
    return record(context, { name: defaultNetwork, subnet: left ?? required(chooseDefaultSubnet(taken, poolStart) ?? chooseSubnet(taken, poolStart)) });
  });
}

/** A bridge with our name outlives a state directory that was deleted: its subnet is taken over, not collided with. */
function subnetOfBridge(socket: NetlinkSocket, bridge: string): Subnet | undefined {
  const link = findLink(socket, bridge);
  const address = link && listAddresses(socket).find(({ index }) => index === link.index);
  return address && subnetOf(addressToNumber(address.address), address.prefix);
}

function record(
  context: NetworkContext,
  o: {
    readonly name: string;
    readonly subnet: Subnet;
    readonly gateway?: string | undefined;
    readonly internal?: boolean | undefined;
    readonly labels?: Readonly<Record<string, string>> | undefined;
  },
): Network {
  const gateway = o.gateway ?? numberToAddress(o.subnet.first + 1);
  requireUsable(o.subnet, gateway, "gateway");
  const network: Network = {
    id: randomUUID(),
    name: o.name,
    driver: "bridge",
    bridge: context.names.bridge(o.name),
    subnet: subnetToText(o.subnet),
    gateway,
    internal: o.internal ?? false,
    labels: o.labels ?? {},
    createdAt: new Date(),
  };
  insertNetwork(context.db, network, o.subnet.first);
  return network;
}

/** Throws `invalid_spec` unless a host may have this address in the subnet. */
export function requireUsable(subnet: Subnet, address: string, what: string): void {
  const number = addressToNumber(address);
  if (!contains(subnet, number) || number === subnet.first || number === broadcastOf(subnet)) {
    throw new BerthError("invalid_spec", `${what} ${address} is no usable address of subnet ${subnetToText(subnet)}`);
  }
}

function usableSubnet(text: string): Subnet {
  const subnet = parseSubnet(text);
  if (subnet.prefix < 8 || subnet.prefix > longestPrefix) {
    throw new BerthError("invalid_spec", `subnet ${text} must have a prefix of 8 to ${longestPrefix} bits`);
  }
  return subnet;
}

function required(subnet: Subnet | undefined): Subnet {
  if (subnet === undefined)
    throw new BerthError("network", "every subnet in berth's pool collides with a route of this host; name one when you create the network");
  return subnet;
}
