import type { PortMapping } from "../spec/service-spec.ts";

/** A network that containers join (contract 4.1, "Container networks"). */
export interface Network {
  readonly id: string;
  readonly name: string;
  readonly driver: "bridge";
  /** Interface on the host. It need not exist while no container uses the network. */
  readonly bridge: string;
  /** As `10.86.0.0/16`. */
  readonly subnet: string;
  readonly gateway: string;
  /** No way out of the network: no default route, no masquerading. */
  readonly internal: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: Date;
}

/** A {@link PortMapping} whose host port is known. */
export type PortBinding = PortMapping & { readonly hostPort: number };

/** A container's leg in a network: what was leased for it. */
export interface Endpoint {
  /** Names the container; whatever text the caller chose at `allocate`. */
  readonly key: string;
  readonly network: string;
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
  /** `true` when the network is internal: the container gets no default route. */
  readonly internal: boolean;
  readonly ports: readonly PortBinding[];
}
