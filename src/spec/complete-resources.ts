/** Resource limits of a spec (contract 1.3.5 and 1.3.6) and its ulimits (1.3.4). */
import { BerthError } from "../errors.ts";
import { boolean, type Fields, integer, invalid, nonEmptyText, onlyKeys, optional, record, within } from "./fields.ts";
import { sizeBytes } from "./complete-storage.ts";
import type { Resources, Ulimit } from "./service-spec.ts";
import { parseMemorySize } from "./units.ts";

const resourceKeys = [
  "cpu",
  "memory",
  "memorySwap",
  "memoryReservation",
  "memorySwappiness",
  "cpuset",
  "cpuShares",
  "pidsLimit",
  "blkioWeight",
  "oomScoreAdj",
  "oomKillDisable",
  "gpu",
];

export function completeResources(value: unknown): Resources {
  const fields = record(value, "resources");
  onlyKeys(fields, "resources", resourceKeys);
  refuseGpu(fields["gpu"]);
  const memory = optional(fields["memory"], "resources.memory", memoryBytes);
  return {
    cpu: optional(fields["cpu"], "resources.cpu", cores),
    memory,
    memorySwap: memorySwap(fields["memorySwap"], memory),
    memoryReservation: memoryReservation(fields["memoryReservation"], memory),
    memorySwappiness: optional(fields["memorySwappiness"], "resources.memorySwappiness", integer(0, 100)),
    cpuset: optional(fields["cpuset"], "resources.cpuset", cpuset),
    cpuShares: optional(fields["cpuShares"], "resources.cpuShares", integer(0, Number.MAX_SAFE_INTEGER)) || undefined,
    pidsLimit: optional(fields["pidsLimit"], "resources.pidsLimit", integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)),
    blkioWeight: optional(fields["blkioWeight"], "resources.blkioWeight", integer(10, 1000)),
    oomScoreAdj: optional(fields["oomScoreAdj"], "resources.oomScoreAdj", integer(-1000, 1000)),
    oomKillDisable: optional(fields["oomKillDisable"], "resources.oomKillDisable", boolean),
  };
}

/** A container that asked for a GPU must never run without one. */
function refuseGpu(value: unknown): void {
  const gpu = optional(value, "resources.gpu", record);
  if (gpu === undefined || gpu["count"] === 0) return;
  throw new BerthError("unsupported", "resources.gpu: gpus are not supported; pass the device nodes with devices instead");
}

/** The kernel takes no quota below 1 ms, which is 0.01 cores. */
function cores(value: unknown, field: string): number {
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0.01) throw invalid(field, "expected a number of cores, at least 0.01");
  return value;
}

function memoryBytes(value: unknown, field: string): number {
  return typeof value === "string" ? within(field, () => parseMemorySize(value)) : sizeBytes(value, field);
}

function memorySwap(value: unknown, memory: number | undefined): number | undefined {
  const field = "resources.memorySwap";
  const total = optional(value, field, (read) => (read === -1 || read === "-1" ? -1 : sizeBytes(read, field)));
  if (total === undefined) return undefined;
  if (memory === undefined) throw invalid(field, "requires resources.memory");
  if (total !== -1 && total < memory) throw invalid(field, "is memory plus swap and must not be less than resources.memory");
  return total;
}

function memoryReservation(value: unknown, memory: number | undefined): number | undefined {
  const field = "resources.memoryReservation";
  const bytes = optional(value, field, sizeBytes);
  if (bytes !== undefined && memory !== undefined && bytes > memory) throw invalid(field, "must not exceed resources.memory");
  return bytes;
}

function cpuset(value: unknown, field: string): string {
  const written = nonEmptyText(value, field).trim();
  const ranges = written.split(",").map((part) => /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part));
  if (ranges.some((range) => range === null || Number(range[2] ?? range[1]) < Number(range[1]))) {
    throw invalid(field, `${JSON.stringify(written)} is not a list of cpus such as "0-2,4"`);
  }
  return written;
}

export const ulimitNames: readonly string[] = [
  "cpu",
  "fsize",
  "data",
  "stack",
  "core",
  "rss",
  "nproc",
  "nofile",
  "memlock",
  "as",
  "locks",
  "sigpending",
  "msgqueue",
  "nice",
  "rtprio",
  "rttime",
];

export function completeUlimits(value: unknown): Readonly<Record<string, Ulimit>> {
  const entries = Object.entries(record(value, "ulimits"));
  return Object.fromEntries(entries.map(([name, limit]) => [name, completeUlimit(name, record(limit, `ulimits.${name}`))]));
}

const limit = integer(-1, Number.MAX_SAFE_INTEGER);

function completeUlimit(name: string, fields: Fields): Ulimit {
  const field = `ulimits.${name}`;
  if (!ulimitNames.includes(name)) throw invalid("ulimits", `unknown name ${JSON.stringify(name)}; known are ${ulimitNames.join(", ")}`);
  onlyKeys(fields, field, ["soft", "hard"]);
  const soft = optional(fields["soft"], `${field}.soft`, limit);
  const hard = optional(fields["hard"], `${field}.hard`, limit);
  const complete = { soft: soft ?? hard ?? 0, hard: hard ?? soft ?? 0 };
  if (complete.hard !== -1 && (complete.soft === -1 || complete.soft > complete.hard)) {
    throw invalid(field, `soft limit ${complete.soft} exceeds hard limit ${complete.hard}; -1 means unlimited`);
  }
  return complete;
}
