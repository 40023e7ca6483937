/** Reservation of host ports: against other containers by the records, against everybody else by binding. */
import { isIPv4 } from "node:net";
import { BerthError } from "../errors.ts";
import { errnoCode } from "../internal/libc.ts";
import type { PortMapping } from "../spec/service-spec.ts";
import type { NetworkContext } from "./context.ts";
import { tablePattern } from "./names.ts";
import { probePort } from "./port-probe.ts";
import { insertPort, type PublishedPort, portsOfHostPort } from "./records.ts";
import { listPublished, listTables, openNetfilterSocket, type PublishedPlace } from "./set-elements.ts";
import type { PortBinding } from "./types.ts";

const anyAddress = "0.0.0.0";
const ephemeralAttempts = 100;

/** Checks the numbers and fills in the default address. Throws `invalid_spec`. */
export function checkMappings(mappings: readonly PortMapping[]): PortMapping[] {
  return mappings.map((mapping) => {
    const hostIp = mapping.hostIp === "" ? anyAddress : mapping.hostIp;
    const { containerPort, hostPort = 0 } = mapping;
    if (!isPort(containerPort) || containerPort === 0) throw new BerthError("invalid_spec", `container port ${containerPort} is not between 1 and 65535`);
    if (!isPort(hostPort)) throw new BerthError("invalid_spec", `host port ${hostPort} is not between 0 and 65535`);
    if (!isIPv4(hostIp))
      throw new BerthError("invalid_spec", `host address ${hostIp} of port ${containerPort} is not an IPv4 address; ports are published on IPv4`);
    return { ...mapping, hostIp, hostPort };
  });
}

/**
 * Records the host ports of a container, choosing those that were left open. Call it inside a transaction, so that all are
 * reserved or none. Throws `start_failed`, whose reason is `port is already allocated` or the kernel's.
 */
export function reservePorts(
  context: NetworkContext,
  o: { readonly key: string; readonly address: string; readonly mappings: readonly PortMapping[] },
): PortBinding[] {
  if (o.mappings.length === 0) return [];
  const foreign = publishedElsewhere(context);
  return o.mappings.map((mapping) => {
    const binding = mapping.hostPort ? explicitPort(context, o.key, mapping, foreign) : freePort(context, mapping, foreign);
    insertPort(context.db, { ...binding, key: o.key, address: o.address });
    return binding;
  });
}

function explicitPort(context: NetworkContext, key: string, mapping: PortMapping, foreign: readonly PublishedPlace[]): PortBinding {
  const binding = { ...mapping, hostPort: mapping.hostPort ?? 0 };
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
  return binding;
}

const refusals = new Map([
  ["EADDRINUSE", "address already in use by a process of the host; choose another host port or stop that process"],
  ["EADDRNOTAVAIL", "cannot assign requested address: this host does not have it"],
  ["EACCES", "permission denied"],
]);

function freePort(context: NetworkContext, mapping: PortMapping, foreign: readonly PublishedPlace[]): PortBinding {
  for (let attempt = 0; attempt < ephemeralAttempts; attempt += 1) {
    const binding = { ...mapping, hostPort: probePort(mapping.protocol, mapping.hostIp, 0) };
    if (ownerOf(context, binding) === undefined && !foreign.some((other) => samePlace(other, binding))) return binding;
  }
  throw new BerthError("start_failed", `no free host port for container port ${mapping.containerPort}/${mapping.protocol}`, { reason: "no free host port" });
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
  const sameAddress = a.hostIp === b.hostIp || a.hostIp === anyAddress || b.hostIp === anyAddress;
  return a.protocol === b.protocol && a.hostPort === b.hostPort && sameAddress;
}

function isPort(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 65535;
}
