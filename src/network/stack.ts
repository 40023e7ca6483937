/**
 * Networking of containers on Linux (DESIGN section 5, contract 1.3.2): bridges, veth pairs, address leases, published ports.
 *
 * The life of an endpoint: `allocate` leases address and ports before the container exists; the OCI runtime's create makes
 * the network namespace; `attach` fills it; `release` gives all back after the processes ended. Everything is recorded in the
 * state store before it exists, and named by the container's key, so a crash at any point leaves only what `release` or
 * `detachLeftovers` remove.
 */
import { hash } from "node:crypto";
import type { Database } from "../state/database.ts";
import { type AllocateOptions, allocate, endpointsOf } from "./allocation.ts";
import { checkFixedAddresses } from "./addresses.ts";
import { attach, loopbackOnly } from "./attachment.ts";
import { detachLeftovers, release, removeIdle } from "./cleanup.ts";
import type { NetworkContext } from "./context.ts";
import { type ForwardingProblem, forwardingProblems } from "./forwarding.ts";
import { NameServer, type NameServerOptions } from "./name-server.ts";
import { instanceNames, networkName } from "./names.ts";
import { createNetwork, listNetworks, type NetworkOptions, removeNetwork, requireNetwork } from "./networks.ts";
import { connectRunning, disconnectRunning, finishChange, refuseSecondMembership } from "./hot-plug.ts";
import { allChanges, deleteMembership, deleteMemberships, insertMembership, membershipsOf, membersOf, type NetworkChange } from "./members.ts";
import { findNetwork, leasesOfKey, leasesOfNetwork, portsOfKey, upgradeNetworkTables } from "./records.ts";
import { type NetworkSurvey, survey } from "./survey.ts";
import type { Endpoint, Membership, Network, PortBinding } from "./types.ts";

export interface NetworkStack {
  /** Throws `conflict` for a name or subnet that is taken, `invalid_spec` for what cannot be. */
  createNetwork(o: NetworkOptions): Network;
  /** Throws `not_found`, and `conflict` while containers use it or for the default network. */
  removeNetwork(name: string): void;
  /** Sorted by name; the default network among them. */
  listNetworks(): Network[];
  /** `undefined` for a network that is not there. */
  idOf(name: string): string | undefined;
  /** Of a network that has no record: the host's, and none at all. */
  predefinedId(name: "host" | "none"): string;
  /** Addresses at which names of these endpoints' networks can be asked for; none where names do not resolve. */
  nameServers(endpoints: readonly Endpoint[]): string[];
  /** Names of a container with these endpoints came or went; answers once the name server knows, or `false` when it cannot. */
  namesChanged(endpoints: readonly Endpoint[]): Promise<boolean>;
  /** After a crash: starts, tells or ends the name server. */
  recoverNames(): Promise<void>;
  /** `bridge` and `default` are the default network. Throws `not_found`. */
  inspectNetwork(name: string): Network;
  /** Throws `not_found` (network), `invalid_spec` for fixed addresses that are none of the network's. */
  checkMember(member: Membership): void;
  /** Writes down which networks a container is in. Joins a transaction that is open. Throws `not_found`, `conflict` when it is in it. */
  join(key: string, member: Membership): void;
  /** `false` when it was not in it. Not for a container that runs. */
  leave(key: string, network: string): boolean;
  /** All of them, when the container is removed. */
  leaveAll(key: string): void;
  /** Of all keys at once, for lists: what `memberships`, `endpoints` and `idOf` answer. */
  survey(): NetworkSurvey;
  /** In the order in which they were joined; the first is the container's main network. */
  memberships(key: string): Membership[];
  /** Keys of members that hold an address there now, or with `all` also of those that do not run. */
  members(network: string, o?: { readonly all?: boolean | undefined }): string[];
  /**
   * Leases addresses and reserves the ports, all or nothing, in one transaction (or in the one that is open). `key` names the
   * container; calls for one key must not overlap. Throws `not_found` (network), `invalid_spec`, `start_failed` (address or
   * port taken), `network` (no address left).
   */
  allocate(key: string, o: AllocateOptions): Endpoint[];
  /** Puts the process's network namespace on the networks and publishes the ports. After a failure (`network`) the host is as before. */
  attach(endpoints: readonly Endpoint[], pid: number): void;
  /**
   * Joins a network while the container runs; `finishChange` acknowledges it. Throws as `join`, `allocate` and `attach` do,
   * and leaves everything as before then.
   */
  connect(key: string, member: Membership, pid: number): Endpoint;
  /**
   * Leaves a network while the container runs (`pid` absent: it has ended); `finishChange` acknowledges it and frees the address.
   * Also undoes a connect or finishes a disconnect that was cut off.
   */
  disconnect(key: string, network: string, pid: number | undefined): void;
  /** Joins a transaction that is open. */
  finishChange(key: string, network: string): void;
  /** Connects and disconnects that were cut off, or are under way in another process. */
  pendingChanges(): NetworkChange[];
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
  /** Absent = names do not resolve. */
  readonly names?: NameServerOptions | undefined;
  /** `true` for the one state root of this host whose interfaces and table have the plain names. */
  readonly defaultRoot: boolean;
}

/** Touches nothing on the host. */
export function openNetworkStack(o: NetworkStackOptions): NetworkStack {
  upgradeNetworkTables(o.db);
  const context: NetworkContext = { db: o.db, names: instanceNames(o), completeBridges: new Map(), namespaceIds: new Map() };
  const names = o.names && new NameServer(context, o.names);
  return {
    createNetwork: (options) => createNetwork(context, options),
    removeNetwork: (name) => removeNetwork(context, name),
    listNetworks: () => listNetworks(context),
    inspectNetwork: (name) => requireNetwork(context, name),
    checkMember: (member) => checkFixedAddresses(requireNetwork(context, member.network), member),
    join: (key, member) => join(context, key, member),
    leave: (key, network) => deleteMembership(o.db, key, networkName(network)),
    leaveAll: (key) => deleteMemberships(o.db, key),
    memberships: (key) => membershipsOf(o.db, key),
    members: (network, { all = false } = {}) => (all ? membersOf(o.db, network) : leasesOfNetwork(o.db, network).map(({ key }) => key)),
    survey: () => survey(context),
    idOf: (name) => findNetwork(o.db, name)?.id,
    predefinedId: (name) => hash("sha256", `${o.uuid}/${name}`),
    nameServers: (endpoints) => names?.addressesFor(endpoints) ?? [],
    namesChanged: async (endpoints) => !names?.concerns(endpoints) || (await names.sync()),
    recoverNames: async () => names?.recover(),
    allocate: (key, options) => allocate(context, key, options),
    attach: (endpoints, pid) => attach(context, endpoints, pid),
    connect: (key, member, pid) => connectRunning(context, key, joinable(context, key, member), pid),
    disconnect: (key, network, pid) => disconnectRunning(context, key, networkName(network), pid),
    finishChange: (key, network) => finishChange(context, key, networkName(network)),
    pendingChanges: () => allChanges(o.db),
    loopbackOnly,
    release: async (key) => {
      const held = leasesOfKey(o.db, key);
      await release(context, key);
      if (names?.concerns(held)) await names.sync();
    },
    detachLeftovers: (live) => detachLeftovers(context, live),
    removeIdle: () => removeIdle(context),
    endpoints: (key) => endpointsOf(context, key),
    ports: (key) => portsOfKey(context.db, key).map(({ protocol, hostIp, hostPort, containerPort }) => ({ protocol, hostIp, hostPort, containerPort })),
    forwardingProblems: () => forwardingProblems(listNetworks(context).map(({ bridge }) => bridge)),
  };
}

function join(context: NetworkContext, key: string, member: Membership): void {
  insertMembership(context.db, key, joinable(context, key, member));
}

function joinable(context: NetworkContext, key: string, member: Membership): Membership {
  const network = requireNetwork(context, member.network);
  const { name } = network;
  checkFixedAddresses(network, member);
  if (membershipsOf(context.db, key).some(({ network }) => network === name)) throw refuseSecondMembership(key, name);
  return { ...member, network: name };
}
