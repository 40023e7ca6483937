/** Limits of a spec as the runtime spec's resources, for cgroup v1 and v2 (contract 1.3.5), its ulimits and OOM score. */
import { BerthError } from "../errors.ts";
import { type OciCpu, type OciLimit, type OciMemory, type OciResources, type OciRlimit, rlimitInfinity } from "../spec/runtime-spec.ts";
import type { Resources, Ulimit } from "../spec/service-spec.ts";
import { cpuPeriodUs, cpuQuotaUs } from "../spec/units.ts";
import type { HostFacts } from "./host-facts.ts";

/** All but the device rules. Warnings tell what this host has no means for and nobody loses by. */
export function buildResources(limits: Resources, host: HostFacts, warnings: string[]): Omit<OciResources, "devices"> {
  requireControllers(limits, host);
  const weight = limits.blkioWeight;
  if (weight !== undefined && !host.blkioWeight) warnings.push("blkioWeight is ignored: this kernel has no I/O scheduler with weights");
  return withoutAbsent({
    memory: buildMemory(limits, host, warnings),
    cpu: buildCpu(limits, host),
    pids: limits.pidsLimit !== undefined && limits.pidsLimit > 0 ? { limit: limits.pidsLimit } : undefined,
    blockIO: weight !== undefined && host.blkioWeight ? { weight } : undefined,
    unified: host.cgroup === 2 && limits.cpuShares !== undefined ? { "cpu.weight": String(cpuWeight(limits.cpuShares)) } : undefined,
  });
}

/** A limit that would not hold is refused rather than dropped (contract 1.3.12). */
function requireControllers(limits: Resources, host: HostFacts): void {
  const needed: readonly (readonly [keyof Resources, string])[] = [
    ["memory", "memory"],
    ["memoryReservation", "memory"],
    ["cpu", "cpu"],
    ["cpuShares", "cpu"],
    ["cpuset", "cpuset"],
    ["pidsLimit", "pids"],
  ];
  for (const [field, controller] of needed) {
    const asked = limits[field] !== undefined && !(field === "pidsLimit" && (limits.pidsLimit ?? 0) <= 0);
    if (asked && !host.controllers.has(controller)) {
      throw new BerthError(
        "unsupported",
        `resources.${field}: this host does not offer the cgroup controller ${controller}; enable it in the kernel or drop the limit`,
      );
    }
  }
}

/** Shares as a v2 weight (contract 1.3.5); the formulas of OCI runtimes have changed over time, ours is fixed. */
export function cpuWeight(shares: number): number {
  return 1 + Math.floor(((clampShares(shares) - 2) * 9999) / 262142);
}

function clampShares(shares: number): number {
  return Math.min(Math.max(shares, 2), 262144);
}

function buildCpu(limits: Resources, host: HostFacts): OciCpu | undefined {
  return optionalGroup({
    shares: host.cgroup === 1 && limits.cpuShares !== undefined ? clampShares(limits.cpuShares) : undefined,
    quota: limits.cpu === undefined ? undefined : cpuQuotaUs(limits.cpu),
    period: limits.cpu === undefined ? undefined : cpuPeriodUs,
    cpus: limits.cpuset,
  });
}

function buildMemory(limits: Resources, host: HostFacts, warnings: string[]): OciMemory | undefined {
  if (host.cgroup === 2 && limits.memorySwappiness !== undefined) warnings.push("memorySwappiness is ignored: cgroup v2 has no such setting");
  if (host.cgroup === 2 && limits.oomKillDisable) warnings.push("oomKillDisable is ignored: cgroup v2 has no such setting");
  return optionalGroup({
    limit: limits.memory,
    reservation: limits.memoryReservation,
    swap: swapLimit(limits, host, warnings),
    swappiness: host.cgroup === 1 ? limits.memorySwappiness : undefined,
    disableOOMKiller: host.cgroup === 1 && limits.oomKillDisable ? true : undefined,
  });
}

/** Without a word about swap a container may use as much of it as of memory, as in Docker. */
function swapLimit(limits: Resources, host: HostFacts, warnings: string[]): number | undefined {
  if (limits.memory === undefined) return undefined;
  if (host.swapAccounting) return limits.memorySwap ?? limits.memory * 2;
  if (limits.memorySwap !== undefined) warnings.push("memorySwap is ignored: this kernel does not account swap; boot it with swapaccount=1");
  return undefined;
}

/** Without CAP_SYS_RESOURCE nobody can raise a hard limit above his own: the limit is lowered and a warning says so. */
export function buildRlimits(ulimits: Readonly<Record<string, Ulimit>>, host: HostFacts, warnings: string[]): readonly OciRlimit[] {
  return Object.entries(ulimits).map(([name, limit]) => {
    const ceiling = rlimitCeiling(name, host);
    const [soft, hard] = [numericLimit(limit.soft), numericLimit(limit.hard)];
    if (hard > ceiling) warnings.push(`ulimit ${name} is lowered to ${ceiling}: the engine's own hard limit cannot be exceeded on this host`);
    return { type: `RLIMIT_${name.toUpperCase()}`, soft: ociLimit(Math.min(soft, ceiling)), hard: ociLimit(Math.min(hard, ceiling)) };
  });
}

function rlimitCeiling(name: string, host: HostFacts): number {
  const own = host.capabilities.includes("CAP_SYS_RESOURCE") ? undefined : host.hardLimits[name];
  return Math.min(own ?? Number.POSITIVE_INFINITY, name === "nofile" ? host.maxOpenFiles : Number.POSITIVE_INFINITY);
}

function numericLimit(limit: number): number {
  return limit === -1 ? Number.POSITIVE_INFINITY : limit;
}

/** Also takes what `JSON.parse` makes of a written limit, where infinity has become the nearest double. */
export function ociLimit(limit: number): OciLimit {
  return limit >= 2 ** 64 ? rlimitInfinity : limit;
}

/**
 * What protects the engine when memory runs out (`OOMScoreAdjust` of its unit) is not its containers' to inherit: their default is 0.
 * Without CAP_SYS_RESOURCE a score below our own would make the OCI runtime fail.
 */
export function buildOomScoreAdj(wanted: number | undefined, host: HostFacts, warnings: string[]): number | undefined {
  if (wanted === undefined) return host.oomScoreAdj < 0 ? 0 : undefined;
  if (wanted >= host.oomScoreAdj || host.capabilities.includes("CAP_SYS_RESOURCE")) return wanted;
  warnings.push(`oomScoreAdj ${wanted} is raised to ${host.oomScoreAdj}: lowering it takes CAP_SYS_RESOURCE`);
  return host.oomScoreAdj;
}

function optionalGroup<T extends object>(group: T): T | undefined {
  const present = withoutAbsent(group);
  return Object.keys(present).length === 0 ? undefined : present;
}

function withoutAbsent<T extends object>(group: T): T {
  return Object.fromEntries(Object.entries(group).filter(([, value]) => value !== undefined)) as T;
}
