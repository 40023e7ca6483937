/** Processes as `ps` shows them, read from /proc: the default columns of method 42, and single ones where the host has no `ps`. */
import { readFileSync, statSync } from "node:fs";
import { totalmem } from "node:os";
import type { ContainerTopOutput } from "../../runtime/types.ts";

/** Kernel clock ticks are 10 ms on every Linux Node runs on (`USER_HZ`). */
const ticksPerSecond = 100;
const pageKib = 4;

interface ProcessFacts {
  readonly pid: number;
  readonly parent: number;
  readonly uid: number;
  readonly state: string;
  readonly name: string;
  readonly args: string;
  readonly tty: number;
  readonly cpuTicks: number;
  readonly startedAt: Date;
  readonly elapsedSeconds: number;
  readonly residentKib: number;
  readonly virtualKib: number;
}

const columns = {
  pid: ["PID", (p) => String(p.pid)],
  ppid: ["PPID", (p) => String(p.parent)],
  uid: ["UID", (p) => String(p.uid)],
  user: ["USER", (p) => userName(p.uid)],
  comm: ["COMMAND", (p) => p.name],
  args: ["COMMAND", (p) => p.args],
  tty: ["TT", (p) => ttyName(p.tty)],
  time: ["TIME", (p) => clock(p.cpuTicks / ticksPerSecond, "hours")],
  etime: ["ELAPSED", (p) => clock(p.elapsedSeconds, "minutes")],
  pcpu: ["%CPU", (p) => cpuShare(p).toFixed(1)],
  pmem: ["%MEM", (p) => ((p.residentKib * 1024 * 100) / totalmem()).toFixed(1)],
  rss: ["RSS", (p) => String(p.residentKib)],
  vsz: ["VSZ", (p) => String(p.virtualKib)],
  stat: ["STAT", (p) => p.state],
} as const satisfies Readonly<Record<string, readonly [title: string, cell: (process: ProcessFacts) => string]>>;

export type ProcessColumn = keyof typeof columns;

export function isProcessColumn(name: string): name is ProcessColumn {
  return Object.hasOwn(columns, name);
}

export function processColumns(pids: readonly number[], names: readonly ProcessColumn[]): ContainerTopOutput {
  const rows = facts(pids).map((process) => names.map((name) => columns[name][1](process)));
  return { titles: names.map((name) => columns[name][0]), processes: rows };
}

/** `UID PID PPID C STIME TTY TIME CMD`, as `ps -ef`. */
export function processTable(pids: readonly number[]): ContainerTopOutput {
  const now = new Date();
  const rows = facts(pids).map((process) => [
    userName(process.uid),
    String(process.pid),
    String(process.parent),
    String(Math.min(99, Math.floor(cpuShare(process)))),
    startTime(process.startedAt, now),
    ttyName(process.tty),
    clock(process.cpuTicks / ticksPerSecond, "hours"),
    process.args,
  ]);
  return { titles: ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"], processes: rows };
}

function facts(pids: readonly number[]): ProcessFacts[] {
  const uptime = Number(readText("/proc/uptime").split(" ")[0]);
  return [...pids].sort((a, b) => a - b).flatMap((pid) => factsOf(pid, uptime) ?? []);
}

/** `undefined` when the process is gone. */
function factsOf(pid: number, uptime: number): ProcessFacts | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  const end = stat.lastIndexOf(")");
  if (end < 0) return undefined;
  const name = stat.slice(stat.indexOf("(") + 1, end);
  const fields = stat.slice(end + 2).split(" ");
  const field = (number: number): number => Number(fields[number - 3] ?? 0);
  const elapsedSeconds = Math.max(0, uptime - field(22) / ticksPerSecond);
  const args = readText(`/proc/${pid}/cmdline`).replace(/\0+$/, "").replaceAll("\0", " ");
  return {
    pid,
    parent: field(4),
    uid: statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid ?? 0,
    state: fields[0] ?? "?",
    name,
    args: args === "" ? `[${name}]` : args.replaceAll(/[\n\r\t]/g, " "),
    tty: field(7),
    cpuTicks: field(14) + field(15),
    startedAt: new Date(Date.now() - elapsedSeconds * 1000),
    elapsedSeconds,
    residentKib: field(24) * pageKib,
    virtualKib: Math.round(field(23) / 1024),
  };
}

function cpuShare({ cpuTicks, elapsedSeconds }: ProcessFacts): number {
  return elapsedSeconds > 0 ? (cpuTicks / ticksPerSecond / elapsedSeconds) * 100 : 0;
}

/** As the host names it, longer ones by number, as `ps` does. */
function userName(uid: number): string {
  const line = readText("/etc/passwd")
    .split("\n")
    .find((entry) => entry.split(":")[2] === String(uid));
  const name = line?.split(":")[0];
  return name === undefined || name.length > 32 ? String(uid) : name;
}

function ttyName(device: number): string {
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  if (major >= 136 && major <= 143) return `pts/${(major - 136) * 256 + minor}`;
  if (major === 4) return minor < 64 ? `tty${minor}` : `ttyS${minor - 64}`;
  return "?";
}

/** `HH:MM:SS` with days before it where there are any; elapsed times begin with the minutes. */
function clock(seconds: number, from: "hours" | "minutes"): string {
  const whole = Math.floor(seconds);
  const days = Math.floor(whole / 86_400);
  const two = (value: number): string => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600) % 24;
  const rest = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  if (days > 0) return `${days}-${two(hours)}:${rest}`;
  return from === "hours" || hours > 0 ? `${two(hours)}:${rest}` : rest;
}

/** Hour and minute today, month and day this year, else the year. */
function startTime(start: Date, now: Date): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  if (start.toDateString() === now.toDateString()) return `${two(start.getHours())}:${two(start.getMinutes())}`;
  if (start.getFullYear() !== now.getFullYear()) return String(start.getFullYear());
  return `${start.toLocaleString("en-US", { month: "short" })}${two(start.getDate())}`;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
