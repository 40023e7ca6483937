/**
 * Networking of containers on Linux (DESIGN section 5, contract 1.3.2): bridges, veth pairs, address leases, published ports.
 *
 * The life of an endpoint: `allocate` leases address and ports before the container exists; the OCI runtime's create makes
 * the network namespace; `attach` fills it; `release` gives all back after the processes ended. Everything is recorded in the
 * state store before it exists, and named by the container's key, so a crash at any point leaves only what `release` or
 * `detachLeftovers` remove. Addresses are IPv4.
 */
import type { Database } from "../state/database.ts";
import { type AllocateOptions, allocate, endpointsOf } from "./allocation.ts";
import { attach, loopbackOnly } from "./attachment.ts";
import { detachLeftovers, release, removeIdle } from "./cleanup.ts";
import type { NetworkContext } from "./context.ts";
import { type ForwardingProblem, forwardingProblems } from "./forwarding.ts";
import { instanceNames } from "./names.ts";
import { createNetwork, listNetworks, type NetworkOptions, removeNetwork, requireNetwork } from "./networks.ts";
import { portsOfKey } from "./records.ts";
import type { Endpoint, Network, PortBinding } from "./types.ts";

export interface NetworkStack {
  /** Throws `conflict` for a name or subnet that is taken, `invalid_spec` for what cannot be. */
  createNetwork(o: NetworkOptions): Network;
  /** Throws `not_found`, and `conflict` while containers use it or for the default network. */
  removeNetwork(name: string): void;
  /** Sorted by name; the default network among them. */
  listNetworks(): Network[];
  /** `bridge` and `default` are the default network. Throws `not_found`. */
  inspectNetwork(name: string): Network;
  /**
   * Leases an address and reserves the ports, all or nothing, in one transaction (or in the one that is open). `key` names the
   * container; calls for one key must not overlap. Throws `not_found` (network), `invalid_spec`, `start_failed` (address or
   * port taken), `network` (no address left).
   */
  allocate(key: string, o: AllocateOptions): Endpoint;
  /** Puts the process's network namespace on the network and publishes the ports. After a failure (`network`) the host is as before. */
  attach(endpoint: Endpoint, pid: number): void;
  /** Mode `none`: only loopback, switched on. */
  loopbackOnly(pid: number): void;
  /** Idempotent. Call it when the container's processes have ended. */
  release(key: string): Promise<void>;
  /** Removes what belongs to keys that are not live, and ours that no record knows. Answers those keys. */
  detachLeftovers(live: { has(key: string): boolean }): string[];
  /** Takes unused bridges, and with the last of them the firewall table, off the host. */
  removeIdle(): void;
  /** What a key holds now: one endpoint for each network. */
  endpoints(key: string): Endpoint[];
  /** Published ports of a key, sorted as contract method 44 wants it. */
  ports(key: string): PortBinding[];
  /** Foreign firewall rules that drop what goes in or out of our bridges, each with its remedy. For `berth doctor`. */
  forwardingProblems(): Promise<ForwardingProblem[]>;
}

export interface NetworkStackOptions {
  /** Opened with `networkSchema` among its schemas. */
  readonly db: Database;
  /** Of the state root. */
  readonly uuid: string;
  /** `true` for the one state root of this host whose interfaces and table have the plain names. */
  readonly defaultRoot: boolean;
}

/** Touches nothing on the host. */
export function openNetworkStack(o: NetworkStackOptions): NetworkStack {
  const context: NetworkContext = { db: o.db, names: instanceNames(o), completeBridges: new Map(), namespaceIds: new Map() };
  return {
    createNetwork: (options) => createNetwork(context, options),
    removeNetwork: (name) => removeNetwork(context, name),
    listNetworks: () => listNetworks(context),
    inspectNetwork: (name) => requireNetwork(context, name),
    allocate: (key, options) => allocate(context, key, options),
    attach: (endpoint, pid) => attach(context, endpoint, pid),
    loopbackOnly,
    release: (key) => release(context, key),
    detachLeftovers: (live) => detachLeftovers(context, live),
    removeIdle: () => removeIdle(context),
    endpoints: (key) => endpointsOf(context, key),
    ports: (key) => portsOfKey(context.db, key).map(({ protocol, hostIp, hostPort, containerPort }) => ({ protocol, hostIp, hostPort, containerPort })),
    forwardingProblems: () => forwardingProblems(listNetworks(context).map(({ bridge }) => bridge)),
  };
}
