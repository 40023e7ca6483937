/** Which subnet a network gets when nobody asked for one, and whether one that was asked for is free. */
import type { NetlinkSocket } from "../internal/netlink.ts";
import { addressToNumber, overlaps, type Subnet, subnetOf } from "./ipv4.ts";
import { listAddresses, listRoutes } from "./rtnetlink.ts";

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

function firstFree(pool: readonly Subnet[], taken: readonly Subnet[], start: number): Subnet | undefined {
  const begin = start % pool.length;
  return [...pool.slice(begin), ...pool.slice(0, begin)].find((candidate) => !taken.some((other) => overlaps(candidate, other)));
}
