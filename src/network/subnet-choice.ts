/** Which subnet a network gets when nobody asked for one, and whether one that was asked for is free. */
import { hash } from "node:crypto";
import type { NetlinkSocket } from "../internal/netlink.ts";
import { type IpFamily, type IpSubnet, ipSubnet, ipSubnetsOverlap, ipSubnetText, parseIp, parseIpSubnet } from "../spec/ip.ts";
import { addressToNumber, overlaps, type Subnet, subnetOf } from "./ipv4.ts";
import { listAddresses, listAddresses6, listRoutes, listRoutes6 } from "./addresses-and-routes.ts";
import type { Network } from "./types.ts";

/** Tried in this order. Away from what Docker, Podman, Kubernetes and home routers take first. */
const defaultPool: readonly Subnet[] = [
  ...[86, 87, 89, 90, 91, 92, 93, 94, 97, 98, 99, 101, 102, 103, 104, 105].map((second) => `10.${second}.0.0`),
  ...["172.31.0.0", "172.30.0.0", "172.29.0.0"],
].map((first) => subnetOf(addressToNumber(first), 16));

const userPool: readonly Subnet[] = ["10.108.0.0", "10.109.0.0", "172.28.0.0", "172.27.0.0"].flatMap((block) =>
  Array.from({ length: 256 }, (_, third) => subnetOf(addressToNumber(block) + third * 256, 24)),
);

/**
 * A /16 for the default network; when all are taken a /24 will do. `start` is where in the pool the search begins: different for each state root, because two
 * that start at the same moment do not see each other's routes yet.
 */
export function chooseDefaultSubnet(taken: readonly Subnet[], start: number): Subnet | undefined {
  return firstFree(defaultPool, taken, start);
}

/** A /24 for a user-defined network. */
export function chooseSubnet(taken: readonly Subnet[], start: number): Subnet | undefined {
  return firstFree(userPool, taken, start);
}

/** Subnets that the host reaches already, or is part of. The default route covers everything and so takes nothing. */
export function subnetsOfHost(socket: NetlinkSocket): Subnet[] {
  const addresses = listAddresses(socket).map(({ address, prefix }) => subnetOf(addressToNumber(address), prefix));
  const routes = listRoutes(socket).map(({ destination }) => destination);
  return [...addresses, ...routes].filter(({ prefix }) => prefix > 0);
}

/** A subnet that is not free, in words for a message. */
export interface TakenSubnet {
  readonly text: string;
  readonly where: string;
  overlaps(other: IpSubnet): boolean;
}

/** What networks and the host's addresses and routes take of one family. */
export function takenBy(networks: readonly Network[], socket: NetlinkSocket, family: IpFamily): TakenSubnet[] {
  const ours = networks.flatMap(({ name, subnet, ipv6 }) => {
    const text = family === 4 ? subnet : ipv6?.subnet;
    return text === undefined ? [] : [takenSubnet(parseIpSubnet(text), `by network ${name}`)];
  });
  const host =
    family === 4 ? subnetsOfHost(socket).map(({ first, prefix }): IpSubnet => ({ family: 4, first: BigInt(first), prefix })) : subnets6OfHost(socket);
  return [...ours, ...host.map((subnet) => takenSubnet(subnet, "on this host"))];
}

function takenSubnet(subnet: IpSubnet, where: string): TakenSubnet {
  return { text: ipSubnetText(subnet), where, overlaps: (other) => ipSubnetsOverlap(subnet, other) };
}

/** Link-local addresses belong to every link and take nothing from anybody. */
function subnets6OfHost(socket: NetlinkSocket): IpSubnet[] {
  const addresses = listAddresses6(socket).map(({ address, prefix }) => ipSubnet(parseIp(address), prefix));
  const linkLocal = parseIpSubnet("fe80::/10");
  return [...addresses, ...listRoutes6(socket)].filter((subnet) => subnet.prefix > 0 && !ipSubnetsOverlap(linkLocal, subnet));
}

/** A /64 below the state root's own /48 (RFC 4193), found from the network's name. */
export function chooseSubnet6(taken: readonly TakenSubnet[], pool: string, name: string): string | undefined {
  const { first } = parseIpSubnet(pool);
  const begin = Number.parseInt(hash("sha256", name).slice(0, 4), 16);
  for (let step = 0; step < 65_536; step += 1) {
    const candidate: IpSubnet = { family: 6, first: first + (BigInt((begin + step) & 0xffff) << 64n), prefix: 64 };
    if (!taken.some((other) => other.overlaps(candidate))) return ipSubnetText(candidate);
  }
  return undefined;
}

function firstFree(pool: readonly Subnet[], taken: readonly Subnet[], start: number): Subnet | undefined {
  const begin = start % pool.length;
  return [...pool.slice(begin), ...pool.slice(0, begin)].find((candidate) => !taken.some((other) => overlaps(candidate, other)));
}
