/** From a change of limits to the files of the cgroup it is written to (contract 1.10), in the order that never fails on the way. */
import { join } from "node:path";
import { cpuWeight } from "../../oci/resources.ts";
import { type CgroupVersion, mountPoint } from "./cgroup.ts";
import type { ContainerResourceUpdate } from "../../runtime/resource-update.ts";

export interface LimitWrite {
  readonly file: string;
  readonly value: string;
}

export interface PlanInput {
  readonly version: CgroupVersion;
  readonly cgroup: string;
  readonly update: ContainerResourceUpdate;
  /** Limit now in bytes; `undefined` = none. */
  readonly memory: number | undefined;
  readonly swapAccounting: boolean;
  /** `undefined` when there is no such file. */
  readonly read: (file: string) => string | undefined;
  /** Names of the groups below. */
  readonly children: (directory: string) => readonly string[];
}

/** `warnings` = fields this host has no means for. */
export function planUpdate(o: PlanInput): { readonly writes: readonly LimitWrite[]; readonly warnings: readonly string[] } {
  const warnings: string[] = [];
  const writes = [...memoryWrites(o, warnings), ...cpuWrites(o), ...cpusetWrites(o), ...pidsWrites(o), ...weightWrites(o, warnings)];
  return { writes, warnings };
}

function path({ version, cgroup }: PlanInput, controller: string, file: string): string {
  return version === 2 ? join(mountPoint, cgroup, file) : join(mountPoint, controller, cgroup, file);
}

function memoryWrites(o: PlanInput, warnings: string[]): LimitWrite[] {
  const { memoryReservation } = o.update;
  const low = path(o, "memory", o.version === 2 ? "memory.low" : "memory.soft_limit_in_bytes");
  const reservation = memoryReservation === undefined ? [] : [{ file: low, value: String(memoryReservation) }];
  const limit = memoryLimit(o);
  const swap = swapLimit(o, warnings);
  if (limit === undefined || swap === undefined) return [...[limit, swap].filter((write) => write !== undefined), ...reservation];
  const grows = o.update.memory !== undefined && (o.update.memory <= 0 || (o.memory !== undefined && o.update.memory > o.memory));
  // On v1 the total bounds the memory at every moment, on v2 the two are independent.
  const limitFirst = o.version === 1 ? !grows : grows;
  return [...(limitFirst ? [limit, swap] : [swap, limit]), ...reservation];
}

function memoryLimit(o: PlanInput): LimitWrite | undefined {
  const { memory } = o.update;
  if (memory === undefined) return undefined;
  if (o.version === 2) return { file: path(o, "memory", "memory.max"), value: memory > 0 ? String(memory) : "max" };
  return { file: path(o, "memory", "memory.limit_in_bytes"), value: memory > 0 ? String(memory) : "-1" };
}

function swapLimit(o: PlanInput, warnings: string[]): LimitWrite | undefined {
  const { memory = o.memory ?? 0 } = o.update;
  // Without a memory limit a total means nothing.
  const total = o.update.memorySwap ?? (o.update.memory !== undefined && o.update.memory <= 0 ? -1 : undefined);
  if (total === undefined) return undefined;
  const file = path(o, "memory", o.version === 2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes");
  if (!o.swapAccounting || o.read(file) === undefined) {
    if (o.update.memorySwap !== undefined) warnings.push("memorySwap is ignored: this kernel does not account swap; boot it with swapaccount=1");
    return undefined;
  }
  if (o.version === 1) return { file, value: String(total) };
  return { file, value: total === -1 ? "max" : String(total - Math.max(0, memory)) };
}

function cpuWrites(o: PlanInput): LimitWrite[] {
  const { cpuShares, cpuQuota, cpuPeriod } = o.update;
  const shares = cpuShares === undefined ? [] : [sharesWrite(o, cpuShares)];
  if (cpuQuota === undefined && cpuPeriod === undefined) return shares;
  if (o.version === 2) {
    const file = path(o, "cpu", "cpu.max");
    const [quota = "max", period = "100000"] = (o.read(file) ?? "").trim().split(" ");
    const wanted = cpuQuota === undefined ? quota : cpuQuota > 0 ? String(cpuQuota) : "max";
    return [...shares, { file, value: `${wanted} ${cpuPeriod ?? period}` }];
  }
  return [
    ...shares,
    ...(cpuPeriod === undefined ? [] : [{ file: path(o, "cpu", "cpu.cfs_period_us"), value: String(cpuPeriod) }]),
    ...(cpuQuota === undefined ? [] : [{ file: path(o, "cpu", "cpu.cfs_quota_us"), value: cpuQuota > 0 ? String(cpuQuota) : "-1" }]),
  ];
}

function sharesWrite(o: PlanInput, shares: number): LimitWrite {
  return o.version === 2
    ? { file: path(o, "cpu", "cpu.weight"), value: String(cpuWeight(shares)) }
    : { file: path(o, "cpu", "cpu.shares"), value: String(shares) };
}

function cpusetWrites(o: PlanInput): LimitWrite[] {
  const { cpusetCpus, cpusetMems } = o.update;
  return [
    ...(cpusetCpus === undefined ? [] : cpusetWrite(o, "cpuset.cpus", cpusetCpus)),
    ...(cpusetMems === undefined ? [] : cpusetWrite(o, "cpuset.mems", cpusetMems)),
  ];
}

/** On v1 the groups below, of processes that were exec'd, must stay within the container's: it is widened, they move, it is narrowed. */
function cpusetWrite(o: PlanInput, name: string, value: string): LimitWrite[] {
  const file = path(o, "cpuset", name);
  if (o.version === 2) return [{ file, value }];
  const directory = join(mountPoint, "cpuset", o.cgroup);
  const below = o.children(directory).map((child) => ({ file: join(directory, child, name), value }));
  if (below.length === 0) return [{ file, value }];
  return [{ file, value: `${(o.read(file) ?? "").trim()},${value}` }, ...below, { file, value }];
}

function pidsWrites(o: PlanInput): LimitWrite[] {
  const { pidsLimit } = o.update;
  return pidsLimit === undefined ? [] : [{ file: path(o, "pids", "pids.max"), value: pidsLimit > 0 ? String(pidsLimit) : "max" }];
}

function weightWrites(o: PlanInput, warnings: string[]): LimitWrite[] {
  const weight = o.update.blkioWeight;
  if (weight === undefined) return [];
  const names = o.version === 2 ? ["io.bfq.weight", "io.weight"] : ["blkio.weight", "blkio.bfq.weight"];
  const file = names.map((name) => path(o, "blkio", name)).find((candidate) => o.read(candidate) !== undefined);
  if (file === undefined) {
    warnings.push("blkioWeight is ignored: this kernel has no I/O scheduler with weights");
    return [];
  }
  // io.weight goes from 1 to 10,000.
  return [{ file, value: String(file.endsWith("/io.weight") ? 1 + Math.floor(((weight - 10) * 9999) / 990) : weight) }];
}

/** Every file that would be written exists, or the name of what is missing. */
export function missingController(writes: readonly LimitWrite[], read: (file: string) => string | undefined): string | undefined {
  return writes.find(({ file }) => read(file) === undefined)?.file;
}
