/**
 * A container's cgroup on the unified hierarchy (v2) and on the separate ones (v1): its place, its processes and its end.
 * The OCI runtime makes it and sets the first limits.
 */
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmdirSync, statfsSync, writeFile, writeFileSync } from "node:fs";
import { join } from "node:path";

const CGROUP2_SUPER_MAGIC = 0x63677270;
export const mountPoint = "/sys/fs/cgroup";

export type CgroupVersion = 1 | 2;

let version: CgroupVersion | undefined;

export function cgroupVersion(): CgroupVersion {
  version ??= statfsSync(mountPoint).type === CGROUP2_SUPER_MAGIC ? 2 : 1;
  return version;
}

/**
 * Value for `linux.cgroupsPath`. Every run has a name of its own, so that what is aimed at one run can never hit the next;
 * no id holds what follows the last dot.
 */
export function newCgroupPath(ociId: string, parent: string | undefined): string {
  return join("/", parent ?? "berth", `${ociId}.${randomBytes(4).toString("hex")}`);
}

/** Where the cgroup lies: one directory on v2, one per hierarchy on v1. */
export function cgroupDirectories(path: string): string[] {
  if (cgroupVersion() === 2) return [join(mountPoint, path)];
  return readdirSync(mountPoint)
    .map((controller) => join(mountPoint, controller, path))
    .filter((directory) => existsSync(directory));
}

/** Host pids of every process, sub-groups included. */
export function cgroupProcesses(path: string): number[] {
  return [...new Set(cgroupDirectories(path).flatMap(processesBelow))];
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
  for (const directory of cgroupDirectories(path)) removeTree(directory);
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
