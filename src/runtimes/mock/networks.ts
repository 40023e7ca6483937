/** Networks of the simulated world: records, who is in them, and addresses while containers run. */
import { hash } from "node:crypto";
import { BerthError } from "../../errors.ts";
import type { NetworkCreateOptions } from "../../runtime/extras.ts";
import type { NetworkAttachment } from "../../spec/service-spec.ts";
import { type IpSubnet, ipBytes, ipSubnetsOverlap, ipSubnetText, ipText, isHostAddress, lastOf, parseIp, parseIpSubnet } from "../../spec/ip.ts";
import { completeNetworkOptions, type SubnetInput } from "../../spec/network-options.ts";

export interface MockNetworkRecord {
  readonly id: string;
  readonly name: string;
  readonly internal: boolean;
  readonly ipv4: MockRange;
  readonly ipv6?: MockRange | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly createdAt: Date;
  readonly leases: Map<string, MockEndpoint>;
}

interface MockRange extends SubnetInput {
  readonly gateway: string;
}

export interface MockEndpoint {
  readonly network: string;
  readonly networkId: string;
  readonly ipv4: string;
  readonly prefix: number;
  readonly ipv6?: { readonly address: string; readonly prefix: number } | undefined;
  readonly gateway: string;
  readonly macAddress: string;
}

const loopback = parseIpSubnet("127.0.0.0/8");

export class MockNetworks {
  readonly #networks = new Map<string, MockNetworkRecord>();
  readonly #members = new Map<string, NetworkAttachment[]>();
  readonly #now: () => Date;
  readonly #uuid: string;
  #made = 0;

  constructor(uuid: string, now: () => Date) {
    this.#uuid = uuid;
    this.#now = now;
    this.#add({ name: "bridge", internal: false, ipv4: withGateway({ subnet: "172.17.0.0/16" }), labels: {}, options: {} });
  }

  predefinedId(name: "host" | "none"): string {
    return hash("sha256", `${this.#uuid}/${name}`);
  }

  /** Sorted by name. */
  list(): readonly MockNetworkRecord[] {
    return [...this.#networks.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Throws `not_found`. */
  get(name: string): MockNetworkRecord {
    const found = this.#networks.get(name === "default" ? "bridge" : name) ?? this.#ofId(name);
    if (found === undefined) throw new BerthError("not_found", `no network ${name}; create it first`, { id: name, reason: "no such network" });
    return found;
  }

  /** Clients of Docker's API name a network by its id, too. */
  #ofId(id: string): MockNetworkRecord | undefined {
    if (!/^[0-9a-f]{12,64}$/.test(id)) return undefined;
    const [found, ...others] = this.list().filter((network) => network.id.startsWith(id));
    return others.length > 0 ? undefined : found;
  }

  create(input: NetworkCreateOptions): MockNetworkRecord {
    const o = completeNetworkOptions(input);
    if (this.#networks.has(o.name)) throw new BerthError("conflict", `network ${o.name} exists already`, { id: o.name });
    for (const range of [o.ipv4, o.ipv6]) if (range !== undefined) this.#refuseTaken(o.name, parseIpSubnet(range.subnet));
    const ipv4 = withGateway(o.ipv4 ?? { subnet: this.#freeSubnet() });
    const ipv6 = o.enableIpv6 ? withGateway(o.ipv6 ?? { subnet: `fd00:${hash("sha256", o.name).slice(0, 4)}::/64` }) : undefined;
    return this.#add({ name: o.name, internal: o.internal, ipv4, ipv6, labels: o.labels, options: o.options });
  }

  remove(name: string): void {
    const { leases } = this.get(name);
    if (leases.size > 0)
      throw new BerthError("conflict", `network ${name} is in use by ${[...leases.keys()].join(", ")}; stop or disconnect what runs there first`);
    this.#networks.delete(name);
  }

  memberships(key: string): readonly NetworkAttachment[] {
    return this.#members.get(key) ?? [];
  }

  isUsed(name: string): boolean {
    return this.get(name).leases.size > 0 || [...this.#members.values()].some((all) => all.some((member) => member.name === name));
  }

  /** Throws `not_found`, `invalid_spec` for an address the network can never give. */
  check({ name, ipv4, ipv6 }: NetworkAttachment): void {
    const network = this.get(name);
    for (const [address, range] of [[ipv4, network.ipv4] as const, [ipv6, network.ipv6] as const]) {
      if (address === undefined) continue;
      if (range === undefined) throw new BerthError("invalid_spec", `network ${name} has no IPv6, so ${address} cannot be had there; create one with IPv6`);
      if (!isHostAddress(parseIpSubnet(range.subnet), parseIp(address))) {
        throw new BerthError("invalid_spec", `address ${address} is no usable address of subnet ${range.subnet}`);
      }
    }
  }

  join(key: string, wanted: NetworkAttachment): void {
    this.check(wanted);
    const member = { ...wanted, name: this.get(wanted.name).name };
    if (this.memberships(key).some(({ name }) => name === member.name)) {
      throw new BerthError("conflict", `container ${key} is connected to network ${member.name} already`, { id: key });
    }
    this.#members.set(key, [...this.memberships(key), member]);
  }

  /** `false` when it was not in it. */
  leave(key: string, network: string): boolean {
    const before = this.memberships(key);
    this.#members.set(
      key,
      before.filter(({ name }) => name !== network),
    );
    this.#networks.get(network)?.leases.delete(key);
    return before.some(({ name }) => name === network);
  }

  leaveAll(key: string): void {
    this.release(key);
    this.#members.delete(key);
  }

  /** All or nothing. */
  leaseAll(key: string): void {
    try {
      for (const member of this.memberships(key)) this.lease(key, member);
    } catch (error) {
      this.release(key);
      throw error;
    }
  }

  lease(key: string, member: NetworkAttachment): void {
    const network = this.get(member.name);
    const { ipv4, ipv6 } = network;
    const address = this.#take(network, key, ipv4, member.ipv4);
    const six = ipv6 && { address: this.#take(network, key, ipv6, member.ipv6), prefix: parseIpSubnet(ipv6.subnet).prefix };
    const macAddress = member.macAddress ?? macOf(address);
    const { prefix } = parseIpSubnet(ipv4.subnet);
    network.leases.set(key, { network: network.name, networkId: network.id, ipv4: address, prefix, ipv6: six, gateway: ipv4.gateway, macAddress });
  }

  release(key: string): void {
    for (const { leases } of this.#networks.values()) leases.delete(key);
  }

  /** In the order of the memberships. */
  endpoints(key: string): readonly MockEndpoint[] {
    return this.memberships(key).flatMap(({ name }) => this.#networks.get(name)?.leases.get(key) ?? []);
  }

  /** The default network first, then by name. */
  mainAddress(key: string): string | undefined {
    const byName = this.endpoints(key).toSorted((a, b) => (a.network < b.network ? -1 : 1));
    return (byName.find(({ network }) => network === "bridge") ?? byName[0])?.ipv4;
  }

  #add(o: Omit<MockNetworkRecord, "id" | "createdAt" | "leases">): MockNetworkRecord {
    const network = { ...o, id: hash("sha256", `${this.#uuid}/${o.name}/${this.#made++}`), createdAt: this.#now(), leases: new Map() };
    this.#networks.set(o.name, network);
    return network;
  }

  #refuseTaken(name: string, wanted: IpSubnet): void {
    const taken = this.list().flatMap(({ ipv4, ipv6 }) => [parseIpSubnet(ipv4.subnet), ...(ipv6 === undefined ? [] : [parseIpSubnet(ipv6.subnet)])]);
    const clash = [loopback, ...taken].find((other) => ipSubnetsOverlap(other, wanted));
    if (clash === undefined) return;
    const text = `subnet ${ipSubnetText(wanted)} of network ${name} overlaps ${ipSubnetText(clash)}, which is in use; choose another`;
    throw new BerthError("conflict", text, { id: name });
  }

  #freeSubnet(): string {
    const taken = this.list().map(({ ipv4 }) => parseIpSubnet(ipv4.subnet));
    for (let number = 0; number < 1024; number += 1) {
      const subnet = `10.${108 + (number >> 8)}.${number & 255}.0/24`;
      if (!taken.some((other) => ipSubnetsOverlap(other, parseIpSubnet(subnet)))) return subnet;
    }
    throw new BerthError("network", "no free subnet is left; name one when you create the network");
  }

  #take({ name, leases }: MockNetworkRecord, key: string, range: MockRange, requested: string | undefined): string {
    const owners = new Map<string, string>([[range.gateway, "the gateway"]]);
    for (const [owner, endpoint] of leases) owners.set(endpoint.ipv4, owner).set(endpoint.ipv6?.address ?? endpoint.ipv4, owner);
    if (requested !== undefined) {
      const owner = owners.get(requested);
      if (owner === undefined) return requested;
      const reason = `cannot give ${requested} of network ${name} to ${key}: address already in use by ${owner}`;
      throw new BerthError("start_failed", reason, { id: key, reason });
    }
    const [whole, pool] = [parseIpSubnet(range.subnet), parseIpSubnet(range.ipRange ?? range.subnet)];
    for (let value = pool.first; value <= lastOf(pool); value += 1n) {
      const address = { family: pool.family, value };
      if (isHostAddress(whole, address) && !owners.has(ipText(address))) return ipText(address);
    }
    throw new BerthError("network", `network ${name} (${range.subnet}) has no free address; remove containers or create a larger network`, { id: name });
  }
}

function withGateway(range: SubnetInput): MockRange {
  const { family, first } = parseIpSubnet(range.subnet);
  return { ...range, gateway: range.gateway ?? ipText({ family, value: first + 1n }) };
}

function macOf(address: string): string {
  return ["02", "42", ...[...ipBytes(parseIp(address))].map((byte) => byte.toString(16).padStart(2, "0"))].join(":");
}
