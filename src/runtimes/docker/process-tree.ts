/** Processes of this host that belong to one that an engine on this host started. */
import { readdirSync, readFileSync } from "node:fs";

interface ProcessLine {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
}

/**
 * Whether the process is in a control group named after the container: the pid may be of another machine, or used anew.
 * Engines take their id for the name, Berth's daemon takes ours.
 */
export function belongsToContainer(pid: number, names: readonly string[]): boolean {
  try {
    const groups = readFileSync(`/proc/${pid}/cgroup`, "latin1");
    return names.some((name) => groups.includes(name));
  } catch {
    return false;
  }
}

/** The process, its session and everything they started. Engines give each exec a session of its own. */
export function processTree(root: number): readonly number[] {
  const all = readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? (lineOf(Number(name)) ?? []) : []));
  const found = new Set(all.filter(({ pid, session }) => pid === root || session === root).map(({ pid }) => pid));
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid);
  }
  return [...found];
}

/** Processes of the container that carry the variable, wherever they have gone: a daemon leaves its session and its parent. */
export function markedProcesses(variable: string, names: readonly string[]): readonly number[] {
  return readdirSync("/proc").flatMap((name) => {
    const pid = Number(name);
    return /^\d+$/.test(name) && environmentHolds(pid, variable) && belongsToContainer(pid, names) ? [pid] : [];
  });
}

function environmentHolds(pid: number, variable: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(variable);
  } catch {
    return false;
  }
}

/** Answers how many there were to signal. */
export function signalAll(pids: readonly number[], signal: number): number {
  return pids.filter((pid) => {
    try {
      process.kill(pid, signal);
      return true;
    } catch {
      // Gone already.
      return false;
    }
  }).length;
}

function lineOf(pid: number): ProcessLine | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    return { pid, parent: Number(fields[1]), session: Number(fields[3]) };
  } catch {
    return undefined;
  }
}
