import { createHash } from "node:crypto";
import { BerthError } from "../errors.ts";

/** Names one container instance; compared by all four fields (contract 1.1). */
export interface ContainerId {
  /** Logical service name, non-empty. Standalone containers use `standalone-<name>`. */
  readonly service: string;
  /** Unsigned 32-bit index inside the role; 0 for standalone containers. */
  readonly replica: number;
  /** Replica group, `^[a-z][a-z0-9]{0,29}$`; no hyphen, so that the string form can be read back. */
  readonly role: string;
  /** Cluster node; 0 on a single node. */
  readonly nodeId: number;
}

/** What every name starts with that Berth gives to something in the engine below. */
export const nativePrefix = "berth-";

const standalonePrefix = "standalone-";
const servicePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,199}$/;
const rolePattern = /^[a-z][a-z0-9]{0,29}$/;

/** Fills in role and node. Throws `invalid_spec` for a field out of its range. */
export function containerId(fields: { service: string; replica?: number; role?: string; nodeId?: number }): ContainerId {
  const { service, replica = 0, role = "default", nodeId = 0 } = fields;
  if (!servicePattern.test(service)) {
    throw new BerthError("invalid_spec", `service name ${JSON.stringify(service)} must match ${servicePattern.source}`);
  }
  if (!Number.isInteger(replica) || replica < 0 || replica > 0xffff_ffff) {
    throw new BerthError("invalid_spec", `replica ${replica} is not an unsigned 32-bit number`);
  }
  if (!rolePattern.test(role)) {
    throw new BerthError("invalid_spec", `role ${JSON.stringify(role)} must match ${rolePattern.source}`);
  }
  if (!Number.isSafeInteger(nodeId) || nodeId < 0) {
    throw new BerthError("invalid_spec", `node id ${nodeId} is not a safe non-negative integer`);
  }
  return { service, replica, role, nodeId };
}

/** The id of a container that belongs to no service: `standalone-<name>`, replica 0. */
export function standaloneId(name: string): ContainerId {
  if (name === "") throw new BerthError("invalid_spec", "a container name must not be empty");
  return containerId({ service: `${standalonePrefix}${name}` });
}

/** The human name a container starts with: what follows `standalone-`, else its backend-native name. */
export function initialName(id: ContainerId): string {
  const name = id.service.startsWith(standalonePrefix) ? id.service.slice(standalonePrefix.length) : "";
  return name !== "" && id.replica === 0 && isPlain(id) ? name : nativeName(id);
}

/** `web-rep-3`, or `db-read-2-on-7` when role or node differ from their defaults. */
export function containerIdToString(id: ContainerId): string {
  return isPlain(id) ? `${id.service}-rep-${id.replica}` : `${id.service}-${id.role}-${id.replica}-on-${id.nodeId}`;
}

/** Exact inverse of {@link containerIdToString}; `undefined` when the text is no id. */
export function parseContainerId(text: string): ContainerId | undefined {
  const cluster = /^(?<service>.+)-(?<role>[a-z][a-z0-9]*)-(?<replica>\d+)-on-(?<node>\d+)$/.exec(text)?.groups;
  const plain = /^(?<service>.+)-rep-(?<replica>\d+)$/.exec(text)?.groups;
  return (
    roundTrip(text, { service: cluster?.service, replica: cluster?.replica, role: cluster?.role, node: cluster?.node }) ??
    roundTrip(text, { service: plain?.service, replica: plain?.replica, role: "default", node: "0" })
  );
}

/** Name in the engine below: Docker name, OCI id, cgroup leaf, state directory. */
export function nativeName(id: ContainerId): string {
  return `${nativePrefix}${containerIdToString(id)}`;
}

/** Public 64-digit id; stays the same over restarts as long as the engine's uuid does. */
export function hexId(engineUuid: string, id: ContainerId): string {
  return createHash("sha256")
    .update(`${engineUuid}:${containerIdToString(id)}`)
    .digest("hex");
}

export function shortId(hex: string): string {
  return hex.slice(0, 12);
}

/** Label that carries the hex id from the caller through the backend (contract 1.1). */
export const containerIdLabel = "dev.berth.container_id";

/** Label that carries the string form of the id where an engine knows containers by labels only: on Docker's API. */
export const idLabel = "dev.berth.id";

export function sameContainerId(a: ContainerId, b: ContainerId): boolean {
  return a.service === b.service && a.replica === b.replica && a.role === b.role && a.nodeId === b.nodeId;
}

function isPlain(id: ContainerId): boolean {
  return id.role === "default" && id.nodeId === 0;
}

/** A number out of range or with leading zeros does not read back as the same text, and so is no id. */
function roundTrip(text: string, parts: Record<"service" | "replica" | "role" | "node", string | undefined>): ContainerId | undefined {
  if (parts.service === undefined) return undefined;
  try {
    const id = containerId({ service: parts.service, replica: Number(parts.replica), role: parts.role ?? "", nodeId: Number(parts.node) });
    return containerIdToString(id) === text ? id : undefined;
  } catch {
    return undefined;
  }
}
