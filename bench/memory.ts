/** What processes weigh, read from /proc. All answers in MB (10^6 bytes). */
import { readdirSync, readFileSync } from "node:fs";

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
}

function processes(): Process[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const stat = readOrNothing(`/proc/${pid}/stat`);
      const found = /^\d+ \((?<name>.*)\) \S (?<parent>\d+)/s.exec(stat)?.groups;
      return found ? [{ pid: Number(pid), parent: Number(found["parent"]), name: found["name"] ?? "" }] : [];
    });
}

/** Resident memory of a process and everything below it. */
export function treeRss(root: number): number {
  const all = processes();
  const members = new Set([root]);
  for (let before = 0; before !== members.size; ) {
    before = members.size;
    for (const { pid, parent } of all) if (members.has(parent)) members.add(pid);
  }
  return [...members].reduce((sum, pid) => sum + field(`/proc/${pid}/status`, "VmRSS"), 0);
}

/** Looks at a process tree until stopped; answers the most it held at once, or its root ever since it began. */
export function watchPeak(root: number, intervalMs = 20): { stop(): number } {
  return watchPeakOf(() => Math.max(treeRss(root), field(`/proc/${root}/status`, "VmHWM")), intervalMs);
}

/** Measures until stopped; answers the most there was. */
export function watchPeakOf(measure: () => number, intervalMs: number): { stop(): number } {
  let peak = measure();
  const look = () => {
    peak = Math.max(peak, measure());
  };
  const timer = setInterval(look, intervalMs);
  return {
    stop: () => {
      clearInterval(timer);
      look();
      return peak;
    },
  };
}

/** Proportional memory of all processes with that name, as far as their command line holds `argument`. */
export function pssByName(name: string, argument: string): { readonly count: number; readonly megabytes: number } {
  const found = processes().filter((process) => process.name.startsWith(name) && readOrNothing(`/proc/${process.pid}/cmdline`).includes(argument));
  return { count: found.length, megabytes: found.reduce((sum, { pid }) => sum + field(`/proc/${pid}/smaps_rollup`, "Pss"), 0) };
}

function field(path: string, name: string): number {
  const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readOrNothing(path))?.[1] ?? "0";
  return (Number(kibibytes) * 1024) / 1e6;
}

/** Processes end while one looks at them. */
function readOrNothing(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
