import type { PortMapping } from "../spec/service-spec.ts";

/** The part of a network that one address family makes up. */
export interface NetworkRange {
  /** As `10.86.0.0/16` or `fd00:1::/64`. */
  readonly subnet: string;
  readonly gateway: string;
  /** Where addresses are taken from; absent = the whole subnet. */
  readonly ipRange?: string | undefined;
}

/** A network that containers join (contract 4.1, "Container networks"). */
export interface Network extends NetworkRange {
  /** 64 hex digits. */
  readonly id: string;
  readonly name: string;
  readonly driver: "bridge";
  /** Interface on the host. It need not exist while no container uses the network. */
  readonly bridge: string;
  /** Absent without IPv6. */
  readonly ipv6?: NetworkRange | undefined;
  /** No way out of the network: no default route, no masquerading. */
  readonly internal: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  /** Of bridge and containers. Absent = that of the host's way out, 1500 at most. */
  readonly mtu?: number | undefined;
  readonly createdAt: Date;
}

/** A container's wish to be in a network; it holds from create to remove, whether the container runs or not. */
export interface Membership {
  readonly network: string;
  /** Names beside the container's own under which others in the network find it. */
  readonly aliases: readonly string[];
  /** Fixed addresses; absent = any free one. */
  readonly ipv4?: string | undefined;
  readonly ipv6?: string | undefined;
  readonly macAddress?: string | undefined;
}

/** A {@link PortMapping} whose host port is known. */
export type PortBinding = PortMapping & { readonly hostPort: number };

/** A container's leg in a network: what was leased for it. */
export interface Endpoint {
  /** Names the container; whatever text the caller chose at `allocate`. */
  readonly key: string;
  readonly network: string;
  readonly networkId: string;
  readonly bridge: string;
  /** Interface inside the container, `eth0`. */
  readonly interfaceName: string;
  /** The other end, on the host. */
  readonly hostInterface: string;
  readonly ipv4: string;
  /** Length of the subnet's prefix in bits. */
  readonly prefix: number;
  readonly macAddress: string;
  /** The host's address in the network. */
  readonly gateway: string;
  /** Absent in a network without IPv6. */
  readonly ipv6?: { readonly address: string; readonly prefix: number; readonly gateway: string } | undefined;
  /** `true` when the network is internal: the container gets no default route. */
  readonly internal: boolean;
  readonly ports: readonly PortBinding[];
}
