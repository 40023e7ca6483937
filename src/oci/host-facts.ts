/** What of the host decides how a runtime spec is written. Read once per process; everything else here is a pure function of it. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { hostname, release } from "node:os";
import { capabilitiesOfMask } from "../spec/capabilities.ts";
import { hostPlatform } from "../spec/platform.ts";

export interface HostFacts {
  /** 2 = the unified hierarchy at /sys/fs/cgroup; 1 = controllers mounted one by one, with or without an empty v2 beside them. */
  readonly cgroup: 1 | 2;
  /** Controllers a container's cgroup can use: `memory`, `cpu`, `cpuset`, `pids`, `blkio` (v1) or `io` (v2), … */
  readonly controllers: ReadonlySet<string>;
  /** Bounding set of this process: nothing outside it can be given to a container. */
  readonly capabilities: readonly string[];
  /** As in OCI documents. */
  readonly arch: string;
  /** Kernel release. */
  readonly kernel: string;
  readonly hostname: string;
  readonly apparmor: boolean;
  /** Docker's AppArmor profile, when it is loaded. */
  readonly apparmorDefault?: string | undefined;
  readonly selinux: boolean;
  /** Whether memory plus swap can be limited. */
  readonly swapAccounting: boolean;
  /** Whether block I/O weights have a file to go to. */
  readonly blkioWeight: boolean;
  /** Own hard limits by the names of `ulimits`; absent = unlimited. They bind a host without CAP_SYS_RESOURCE. */
  readonly hardLimits: Readonly<Record<string, number>>;
  /** fs.nr_open: `nofile` cannot exceed it, whoever asks. */
  readonly maxOpenFiles: number;
  /** Own score; without CAP_SYS_RESOURCE a child cannot go below it. */
  readonly oomScoreAdj: number;
  /** net.* parameters this kernel knows, of those Berth sets by itself. */
  readonly netSysctls: readonly string[];
}

let cached: HostFacts | undefined;

/** Reads some small files of /proc and /sys, about 0.5 ms the first time. */
export function hostFacts(): HostFacts {
  cached ??= readHostFacts();
  return cached;
}

function readHostFacts(): HostFacts {
  const cgroup = existsSync("/sys/fs/cgroup/cgroup.controllers") ? 2 : 1;
  const controllers = cgroup === 2 ? readWords("/sys/fs/cgroup/cgroup.controllers") : mountedControllers();
  const status = readText("/proc/self/status");
  return {
    cgroup,
    controllers: new Set(controllers),
    capabilities: capabilitiesOfMask(/^CapBnd:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"),
    arch: hostPlatform().architecture,
    kernel: release(),
    hostname: hostname(),
    ...apparmorFacts(),
    selinux: existsSync("/sys/fs/selinux/enforce"),
    ...(cgroup === 2 ? optionalFilesV2() : optionalFilesV1()),
    hardLimits: parseHardLimits(readText("/proc/self/limits")),
    maxOpenFiles: Number(readText("/proc/sys/fs/nr_open")) || 1_048_576,
    oomScoreAdj: Number(readText("/proc/self/oom_score_adj")) || 0,
    netSysctls: ["net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range"].filter((name) => existsSync(`/proc/sys/${name.replaceAll(".", "/")}`)),
  };
}

function apparmorFacts(): Pick<HostFacts, "apparmor" | "apparmorDefault"> {
  if (readText("/sys/module/apparmor/parameters/enabled").trim() !== "Y") return { apparmor: false };
  const loaded = /^docker-default /m.test(readText("/sys/kernel/security/apparmor/profiles"));
  return { apparmor: true, apparmorDefault: loaded ? "docker-default" : undefined };
}

function mountedControllers(): readonly string[] {
  const lines = readText("/proc/self/cgroup").split("\n");
  return lines.flatMap((line) => (line.split(":")[1] ?? "").split(",")).filter((name) => name !== "" && !name.startsWith("name="));
}

function optionalFilesV1(): Pick<HostFacts, "swapAccounting" | "blkioWeight"> {
  return {
    swapAccounting: existsSync("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"),
    blkioWeight: existsSync("/sys/fs/cgroup/blkio/blkio.weight") || existsSync("/sys/fs/cgroup/blkio/blkio.bfq.weight"),
  };
}

/** The root group has none of these files, so any group below it is asked. */
function optionalFilesV2(): Pick<HostFacts, "swapAccounting" | "blkioWeight"> {
  const groups = readdirSync("/sys/fs/cgroup", { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const has = (file: string): boolean => groups.some((group) => existsSync(`/sys/fs/cgroup/${group.name}/${file}`));
  return { swapAccounting: groups.length === 0 || has("memory.swap.max"), blkioWeight: has("io.weight") || has("io.bfq.weight") };
}

const limitNames: Readonly<Record<string, string>> = {
  "Max cpu time": "cpu",
  "Max file size": "fsize",
  "Max data size": "data",
  "Max stack size": "stack",
  "Max core file size": "core",
  "Max resident set": "rss",
  "Max processes": "nproc",
  "Max open files": "nofile",
  "Max locked memory": "memlock",
  "Max address space": "as",
  "Max file locks": "locks",
  "Max pending signals": "sigpending",
  "Max msgqueue size": "msgqueue",
  "Max nice priority": "nice",
  "Max realtime priority": "rtprio",
  "Max realtime timeout": "rttime",
};

/** Hard limits of `/proc/<pid>/limits`; unlimited ones are left out. */
export function parseHardLimits(text: string): Readonly<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const line of text.split("\n")) {
    const [, label, hard] = /^(Max .*?)\s{2,}\S+\s+(\S+)/.exec(line) ?? [];
    const name = limitNames[label ?? ""];
    if (name !== undefined && hard !== undefined && /^\d+$/.test(hard)) found[name] = Number(hard);
  }
  return found;
}

function readWords(path: string): readonly string[] {
  return readText(path).split(/\s+/).filter(Boolean);
}

/** Empty when there is no such file: what it would tell is then absent as well. */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
