/** Reservation of host ports: against other containers by the records, against everybody else by binding. */
import { isIP, isIPv4, isIPv6 } from "node:net";
import { BerthError } from "../errors.ts";
import { errnoCode } from "../internal/libc.ts";
import { canonicalIp } from "../spec/ip.ts";
import type { PortMapping } from "../spec/service-spec.ts";
import type { NetworkContext } from "./context.ts";
import { tablePattern } from "./names.ts";
import { probePort } from "./port-probe.ts";
import { insertPort, type PublishedPort, portsOfHostPort } from "./records.ts";
import { listPublished, listTables, openNetfilterSocket, type PublishedPlace } from "./set-elements.ts";
import type { PortBinding } from "./types.ts";

const anyAddress = "0.0.0.0";
const anyAddress6 = "::";
const ephemeralAttempts = 100;

/** Checks the numbers and fills in the default address. Throws `invalid_spec`. */
export function checkMappings(mappings: readonly PortMapping[]): PortMapping[] {
  return mappings.map((mapping) => {
    const hostIp = mapping.hostIp === "" ? anyAddress : mapping.hostIp;
    const { containerPort, hostPort = 0 } = mapping;
    if (!isPort(containerPort) || containerPort === 0) throw new BerthError("invalid_spec", `container port ${containerPort} is not between 1 and 65535`);
    if (!isPort(hostPort)) throw new BerthError("invalid_spec", `host port ${hostPort} is not between 0 and 65535`);
    if (mapping.hostPortEnd !== undefined && (!isPort(mapping.hostPortEnd) || mapping.hostPortEnd < hostPort))
      throw new BerthError("invalid_spec", `host ports ${hostPort}-${mapping.hostPortEnd} are no range`);
    if (isIP(hostIp) === 0) throw new BerthError("invalid_spec", `host address ${hostIp} of port ${containerPort} is not an IP address`);
    return { ...mapping, hostIp: canonicalIp(hostIp), hostPort };
  });
}

export function isAnyAddress(address: string): boolean {
  return address === anyAddress || address === anyAddress6;
}

/** The container's addresses that ports lead to. */
export interface PortTarget {
  readonly ipv4: string;
  readonly ipv6?: string | undefined;
}

/**
 * Records the host ports of a container, choosing those that were left open. Call it inside a transaction, so that all are
 * reserved or none. Throws `start_failed`, whose reason is `port is already allocated` or the kernel's.
 */
export function reservePorts(
  context: NetworkContext,
  o: { readonly key: string; readonly target: PortTarget; readonly mappings: readonly PortMapping[] },
): PortBinding[] {
  if (o.mappings.length === 0) return [];
  const foreign = publishedElsewhere(context);
  return o.mappings.flatMap((mapping) => {
    if (isIPv6(mapping.hostIp) && o.target.ipv6 === undefined) throw withoutIpv6(o.key, mapping);
    const places = placesOf(mapping, o.target);
    const hostPort = mapping.hostPort ? wantedPort(context, o.key, places, mapping.hostPort, foreign) : freePort(context, places, foreign);
    return places.map((place) => {
      const binding = { ...place, hostPort };
      insertPort(context.db, { ...binding, key: o.key, address: targetOf(binding, o.target) });
      return binding;
    });
  });
}

/** Of the family in which the host is asked. */
export function targetOf({ hostIp }: { readonly hostIp: string }, { ipv4, ipv6 }: PortTarget): string {
  return isIPv4(hostIp) ? ipv4 : (ipv6 ?? ipv4);
}

/** Without an address a port is published in both families, as far as the container has them. */
function placesOf(mapping: PortMapping, target: PortTarget): PortMapping[] {
  return mapping.hostIp === anyAddress && target.ipv6 !== undefined ? [mapping, { ...mapping, hostIp: anyAddress6 }] : [mapping];
}

function withoutIpv6(key: string, { hostIp, containerPort }: PortMapping): BerthError {
  const reason = `port ${containerPort} cannot be published on ${hostIp}: the container has no IPv6 address; connect it to a network with IPv6`;
  return new BerthError("start_failed", reason, { id: key, reason });
}

/** The port asked for, or the first free one of a range; when none is, the last one's trouble is told. */
function wantedPort(context: NetworkContext, key: string, places: readonly PortMapping[], first: number, foreign: readonly PublishedPlace[]): number {
  const last = places[0]?.hostPortEnd ?? first;
  for (let hostPort = first; ; hostPort += 1) {
    try {
      for (const place of places) requireFree(context, key, { ...place, hostPort }, foreign);
      return hostPort;
    } catch (error) {
      if (hostPort >= last) throw error;
    }
  }
}

function requireFree(context: NetworkContext, key: string, binding: PortBinding, foreign: readonly PublishedPlace[]): void {
  const place = `${binding.hostIp}:${binding.hostPort}/${binding.protocol}`;
  const owner = ownerOf(context, binding);
  if (owner !== undefined || foreign.some((other) => samePlace(other, binding))) {
    const reason = `port is already allocated${owner === undefined ? "" : ` to ${owner.key}`}`;
    throw new BerthError("start_failed", `cannot publish ${place}: ${reason}; choose another host port or stop that container`, { id: key, reason });
  }
  try {
    probePort(binding.protocol, binding.hostIp, binding.hostPort);
  } catch (cause) {
    const reason = refusals.get(errnoCode(cause) ?? "") ?? String(errnoCode(cause));
    throw new BerthError("start_failed", `cannot publish ${place}: ${reason}`, { id: key, reason, cause });
  }
}

const refusals = new Map([
  ["EADDRINUSE", "address already in use by a process of the host; choose another host port or stop that process"],
  ["EADDRNOTAVAIL", "cannot assign requested address: this host does not have it"],
  ["EACCES", "permission denied"],
]);

function freePort(context: NetworkContext, places: readonly PortMapping[], foreign: readonly PublishedPlace[]): number {
  const [first] = places;
  if (first === undefined) throw new BerthError("internal", "a port is published nowhere");
  for (let attempt = 0; attempt < ephemeralAttempts; attempt += 1) {
    const hostPort = probePort(first.protocol, first.hostIp, 0);
    if (places.every((place) => isFree(context, { ...place, hostPort }, foreign))) return hostPort;
  }
  throw new BerthError("start_failed", `no free host port for container port ${first.containerPort}/${first.protocol}`, { reason: "no free host port" });
}

function isFree(context: NetworkContext, binding: PortBinding, foreign: readonly PublishedPlace[]): boolean {
  if (ownerOf(context, binding) !== undefined || foreign.some((other) => samePlace(other, binding))) return false;
  // The kernel chose the port for the first place, which is IPv4 where there are two.
  if (isIPv4(binding.hostIp)) return true;
  try {
    probePort(binding.protocol, binding.hostIp, binding.hostPort);
    return true;
  } catch {
    return false;
  }
}

function ownerOf(context: NetworkContext, place: PublishedPlace): PublishedPort | undefined {
  return portsOfHostPort(context.db, place.protocol, place.hostPort).find((other) => samePlace(other, place));
}

/** Published ports hold no socket, so those of another state root on this host are found in its table only. */
function publishedElsewhere({ names }: NetworkContext): PublishedPlace[] {
  using socket = openNetfilterSocket();
  const others = listTables(socket).filter((table) => tablePattern.test(table) && table !== names.table);
  return others.flatMap((table) => listPublished(socket, table));
}

function samePlace(a: PublishedPlace, b: PublishedPlace): boolean {
  const sameAddress = isIP(a.hostIp) === isIP(b.hostIp) && (a.hostIp === b.hostIp || isAnyAddress(a.hostIp) || isAnyAddress(b.hostIp));
  return a.protocol === b.protocol && a.hostPort === b.hostPort && sameAddress;
}

function isPort(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 65535;
}
