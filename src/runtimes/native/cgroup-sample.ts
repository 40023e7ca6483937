/** Counters of a cgroup. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cgroupVersion, mountPoint } from "./cgroup.ts";

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
