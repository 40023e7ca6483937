/** Which address of a network a container gets. */
import { BerthError } from "../errors.ts";
import { canonicalIp, type IpSubnet, ipText, isHostAddress, lastOf, parseIp, parseIpSubnet } from "../spec/ip.ts";
import type { NetworkContext } from "./context.ts";
import { addressToNumber, broadcastOf, numberToAddress, parseSubnet } from "./ipv4.ts";
import { requireUsable } from "./networks.ts";
import { memberOfAddress } from "./members.ts";
import { lastAddress, leaseOfAddress, leaseOfAddress6, setLastAddress } from "./records.ts";
import type { Membership, Network, NetworkRange } from "./types.ts";

/** How many addresses are tried one by one before a network counts as full. */
const mostTried = 65_536;

/** Throws `invalid_spec` for an address that the network can never give. */
export function checkFixedAddresses(network: Network, { ipv4, ipv6 }: Pick<Membership, "ipv4" | "ipv6">): void {
  if (ipv4 !== undefined) requireUsable(parseSubnet(network.subnet), ipv4, "address");
  if (ipv6 === undefined) return;
  if (network.ipv6 === undefined)
    throw new BerthError("invalid_spec", `network ${network.name} has no IPv6, so ${ipv6} cannot be had there; create one with IPv6`);
  if (!isHostAddress(parseIpSubnet(network.ipv6.subnet), parseIp(ipv6))) {
    throw new BerthError("invalid_spec", `address ${ipv6} is no usable address of subnet ${network.ipv6.subnet}`);
  }
}

/** Throws `start_failed` when somebody has it, `invalid_spec` when it is none of the network's. */
export function requestedAddress(context: NetworkContext, network: Network, address: string, key: string): string {
  requireUsable(parseSubnet(network.subnet), address, "address");
  const owner = leaseOfAddress(context.db, network.name, address)?.key ?? (address === network.gateway ? "the gateway" : undefined);
  if (owner === undefined) return address;
  throw taken(network, address, key, owner);
}

/** The next free one, so that an address just given back rests as long as possible; those others asked for by name are left to them. */
export function nextAddress(context: NetworkContext, network: Network): string {
  const subnet = parseSubnet(network.subnet);
  const range = parseSubnet(network.ipRange ?? network.subnet);
  const [lowest, highest] = [Math.max(subnet.first + 1, range.first), Math.min(broadcastOf(subnet) - 1, broadcastOf(range))];
  const gateway = addressToNumber(network.gateway);
  let candidate = lastAddress(context.db, network.name);
  for (let tried = lowest; tried <= highest; tried += 1) {
    candidate = candidate >= highest || candidate < lowest - 1 ? lowest : candidate + 1;
    const address = numberToAddress(candidate);
    if (candidate === gateway || isTaken(context, network, address)) continue;
    setLastAddress(context.db, network.name, candidate);
    return address;
  }
  throw full(network, network.ipRange ?? network.subnet);
}

/** `undefined` in a network without IPv6. Unless asked for, its place in the subnet is that of the IPv4 address in the other. */
export function address6(
  context: NetworkContext,
  network: Network,
  o: { readonly ipv4: string; readonly requested?: string | undefined; readonly key: string },
): string | undefined {
  const { requested, key } = o;
  checkFixedAddresses(network, { ipv6: requested });
  if (network.ipv6 === undefined) return undefined;
  if (requested !== undefined) return requestedAddress6(context, network, network.ipv6, requested, key);
  return nextAddress6(context, network, network.ipv6, addressToNumber(o.ipv4) - parseSubnet(network.subnet).first);
}

function requestedAddress6(context: NetworkContext, network: Network, { gateway }: NetworkRange, requested: string, key: string): string {
  const text = canonicalIp(requested);
  const owner = leaseOfAddress6(context.db, network.name, text)?.key ?? (text === gateway ? "the gateway" : undefined);
  if (owner !== undefined) throw taken(network, text, key, owner);
  return text;
}

function nextAddress6(context: NetworkContext, network: Network, { subnet, gateway, ipRange }: NetworkRange, wish: number): string {
  const whole = parseIpSubnet(subnet);
  const range: IpSubnet = parseIpSubnet(ipRange ?? subnet);
  const size = lastOf(range) - range.first + 1n;
  for (let step = 0n; step < size && step < mostTried; step += 1n) {
    const address = { family: 6 as const, value: range.first + ((BigInt(wish) + step) % size) };
    const text = ipText(address);
    const free = isHostAddress(whole, address) && text !== gateway && leaseOfAddress6(context.db, network.name, text) === undefined;
    if (free && memberOfAddress(context.db, network.name, text) === undefined) return text;
  }
  throw full(network, ipRange ?? subnet);
}

function isTaken(context: NetworkContext, network: Network, address: string): boolean {
  return leaseOfAddress(context.db, network.name, address) !== undefined || memberOfAddress(context.db, network.name, address) !== undefined;
}

function taken(network: Network, address: string, key: string, owner: string): BerthError {
  const reason = `address already in use by ${owner}`;
  return new BerthError("start_failed", `cannot give ${address} of network ${network.name} to ${key}: ${reason}`, { id: key, reason });
}

function full(network: Network, range: string): BerthError {
  return new BerthError("network", `network ${network.name} (${range}) has no free address; remove containers or create a larger network`, {
    id: network.name,
  });
}
