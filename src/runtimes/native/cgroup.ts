/** A container's cgroup on the unified hierarchy (v2) and on the separate ones (v1). Reading and killing; limits are the OCI runtime's. */
import { existsSync, readdirSync, readFileSync, rmdirSync, statfsSync, writeFile, writeFileSync } from "node:fs";
import { join } from "node:path";

const CGROUP2_SUPER_MAGIC = 0x63677270;
const mountPoint = "/sys/fs/cgroup";

export type CgroupVersion = 1 | 2;

let version: CgroupVersion | undefined;

export function cgroupVersion(): CgroupVersion {
  version ??= statfsSync(mountPoint).type === CGROUP2_SUPER_MAGIC ? 2 : 1;
  return version;
}

/** Value for `linux.cgroupsPath`. */
export function cgroupPath(ociId: string, parent: string | undefined): string {
  return join("/", parent ?? "berth", ociId);
}

export interface CgroupSample {
  readonly cpuNs: number;
  readonly memoryBytes: number;
  /** 0 = none. */
  readonly memoryLimitBytes: number;
  readonly pids: number;
  readonly pidsLimit?: number | undefined;
  readonly readBytes: number;
  readonly writeBytes: number;
}

/** Counters that are not there are 0. */
export function sampleCgroup(path: string): CgroupSample {
  return cgroupVersion() === 2 ? sampleV2(join(mountPoint, path)) : sampleV1(path);
}

function sampleV2(directory: string): CgroupSample {
  const cpu = keyedValues(join(directory, "cpu.stat"));
  const memory = keyedValues(join(directory, "memory.stat"));
  const io = readText(join(directory, "io.stat"));
  return {
    cpuNs: (cpu.get("usage_usec") ?? 0) * 1000,
    memoryBytes: Math.max(0, readNumber(join(directory, "memory.current")) - (memory.get("inactive_file") ?? 0)),
    memoryLimitBytes: readNumber(join(directory, "memory.max")),
    pids: readNumber(join(directory, "pids.current")),
    pidsLimit: readNumber(join(directory, "pids.max")) || undefined,
    readBytes: sumOf(io, /rbytes=(\d+)/g),
    writeBytes: sumOf(io, /wbytes=(\d+)/g),
  };
}

/** The kernel writes "no limit" as the largest multiple of a page. */
const noLimitV1 = 2 ** 62;

function sampleV1(path: string): CgroupSample {
  const file = (controller: string, name: string): string => join(mountPoint, controller, path, name);
  const memory = keyedValues(file("memory", "memory.stat"));
  const limit = readNumber(file("memory", "memory.limit_in_bytes"));
  const io = readText(file("blkio", "blkio.throttle.io_service_bytes_recursive")) || readText(file("blkio", "blkio.throttle.io_service_bytes"));
  return {
    cpuNs: readNumber(file("cpuacct", "cpuacct.usage")),
    memoryBytes: Math.max(0, readNumber(file("memory", "memory.usage_in_bytes")) - (memory.get("total_inactive_file") ?? 0)),
    memoryLimitBytes: limit >= noLimitV1 ? 0 : limit,
    pids: readNumber(file("pids", "pids.current")),
    pidsLimit: readNumber(file("pids", "pids.max")) || undefined,
    readBytes: sumOf(io, /Read (\d+)/g),
    writeBytes: sumOf(io, /Write (\d+)/g),
  };
}

function directories(path: string): string[] {
  if (cgroupVersion() === 2) return [join(mountPoint, path)];
  return readdirSync(mountPoint)
    .map((controller) => join(mountPoint, controller, path))
    .filter((directory) => existsSync(directory));
}

/** Host pids of every process, sub-groups included. */
export function cgroupProcesses(path: string): number[] {
  return [...new Set(directories(path).flatMap(processesBelow))];
}

function processesBelow(directory: string): number[] {
  const own = readText(join(directory, "cgroup.procs")).split("\n").filter(Boolean).map(Number);
  return [...own, ...subGroups(directory).flatMap(processesBelow)];
}

function subGroups(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(directory, entry.name));
  } catch {
    return [];
  }
}

let ownProcs: string | undefined;

/**
 * Moving a process into a cgroup first waits for an RCU grace period, 5 to 25 ms on an idle machine, unless one has just
 * passed for another move. The OCI runtime gets there only after some milliseconds of loading: asking for a move that
 * changes nothing, ourselves into the cgroup we are in, lets both run side by side. Never fails and is not waited for.
 */
export function hastenCgroupMove(): void {
  ownProcs ??= ownCgroupProcs();
  writeFile(ownProcs, "0", () => {});
}

function ownCgroupProcs(): string {
  const lines = readText("/proc/self/cgroup").trim().split("\n");
  const wanted = cgroupVersion() === 2 ? /^0::(.*)$/ : /^\d+:pids:(.*)$/;
  const path = lines.map((line) => wanted.exec(line)?.[1]).find((found) => found !== undefined) ?? "/";
  return join(mountPoint, cgroupVersion() === 2 ? "" : "pids", path, "cgroup.procs");
}

/** SIGKILL to every process of the cgroup, once; the caller repeats until none is left. */
export function killCgroup(path: string): void {
  const killFile = join(mountPoint, path, "cgroup.kill");
  if (cgroupVersion() === 2 && existsSync(killFile)) {
    writeFileSync(killFile, "1");
    return;
  }
  for (const pid of cgroupProcesses(path)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended in between, which is what we want.
    }
  }
}

/** Removes the empty cgroup with its sub-groups. */
export function removeCgroup(path: string): void {
  for (const directory of directories(path)) removeTree(directory);
}

function removeTree(directory: string): void {
  for (const child of subGroups(directory)) removeTree(child);
  try {
    rmdirSync(directory);
  } catch {
    // Busy while a process ends, or already gone; recovery tries again.
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

/** 0 for a file that is absent or says `max`. */
function readNumber(path: string): number {
  return Number(readText(path).trim()) || 0;
}

function keyedValues(path: string): Map<string, number> {
  const lines = readText(path).split("\n");
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(" ")), Number(line.slice(line.indexOf(" ") + 1))]));
}

function sumOf(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].reduce((sum, match) => sum + Number(match[1]), 0);
}
