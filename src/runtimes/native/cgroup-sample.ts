/** Counters of a cgroup, read through descriptors that stay open. */
import { join } from "node:path";
import { KeptFile } from "../../internal/kept-file.ts";
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

/** Files of one cgroup by what they hold; the same on both versions but for their names. */
const files = {
  1: {
    cpu: "cpuacct/cpuacct.usage",
    memory: "memory/memory.usage_in_bytes",
    memoryDetails: "memory/memory.stat",
    memoryLimit: "memory/memory.limit_in_bytes",
    pids: "pids/pids.current",
    pidsLimit: "pids/pids.max",
    io: "blkio/blkio.throttle.io_service_bytes_recursive",
  },
  2: {
    cpu: "cpu.stat",
    memory: "memory.current",
    memoryDetails: "memory.stat",
    memoryLimit: "memory.max",
    pids: "pids.current",
    pidsLimit: "pids.max",
    io: "io.stat",
  },
} as const;

type Content = keyof (typeof files)[1];

/** The kernel writes "no limit" as the largest multiple of a page. */
const noLimitV1 = 2 ** 62;

export class CgroupCounters implements Disposable {
  readonly #version = cgroupVersion();
  readonly #files: Readonly<Record<Content, KeptFile>>;

  constructor(cgroup: string) {
    const place = (name: string): string => {
      if (this.#version === 2) return join(mountPoint, cgroup, name);
      const [controller = "", file = ""] = name.split("/");
      return join(mountPoint, controller, cgroup, file);
    };
    const entries = Object.entries(files[this.#version]).map(([content, name]) => [content, new KeptFile(place(name))] as const);
    this.#files = Object.fromEntries(entries) as Record<Content, KeptFile>;
  }

  /** Counters that are not there are 0. */
  sample(): CgroupSample {
    const { cpu, memory, memoryDetails, memoryLimit, pids, pidsLimit, io } = this.#files;
    const isV2 = this.#version === 2;
    const cache = numberAfter(memoryDetails.read(), isV2 ? "inactive_file" : "total_inactive_file");
    const limit = numberOf(memoryLimit.read());
    const [readBytes, writeBytes] = isV2 ? ioV2(io.read()) : ioV1(io.read());
    return {
      cpuNs: isV2 ? numberAfter(cpu.read(), "usage_usec") * 1000 : numberOf(cpu.read()),
      memoryBytes: Math.max(0, numberOf(memory.read()) - cache),
      memoryLimitBytes: limit >= noLimitV1 ? 0 : limit,
      pids: numberOf(pids.read()),
      pidsLimit: numberOf(pidsLimit.read()) || undefined,
      readBytes,
      writeBytes,
    };
  }

  [Symbol.dispose](): void {
    for (const file of Object.values(this.#files)) file[Symbol.dispose]();
  }
}

/** 0 for a text that is empty or says `max`. */
function numberOf(text: string): number {
  return Number.parseInt(text, 10) || 0;
}

/** The number after a key at the start of a line. */
function numberAfter(text: string, key: string): number {
  const at = text.startsWith(`${key} `) ? 0 : text.indexOf(`\n${key} `) + 1;
  return at === 0 && !text.startsWith(`${key} `) ? 0 : numberOf(text.slice(at + key.length + 1, at + key.length + 24));
}

function ioV1(text: string): [number, number] {
  return text === "" ? [0, 0] : [sumOf(text, /Read (\d+)/g), sumOf(text, /Write (\d+)/g)];
}

function ioV2(text: string): [number, number] {
  return text === "" ? [0, 0] : [sumOf(text, /rbytes=(\d+)/g), sumOf(text, /wbytes=(\d+)/g)];
}

function sumOf(text: string, pattern: RegExp): number {
  let sum = 0;
  for (const match of text.matchAll(pattern)) sum += Number(match[1]);
  return sum;
}
