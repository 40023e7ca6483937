/** What follows from other methods: log lists from the log stream, wait outcomes from an exit, signals and conditions from text. */
import { BerthError } from "../errors.ts";
import { type ContainerId, containerIdToString } from "../spec/container-id.ts";
import type { LogChunk, LogEntry, WaitCondition, WaitOutcome } from "./types.ts";

const newline = 0x0a;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * `containerLogs` and `getLogs` out of a `logsStream` with `timestamps` (methods 8 and 12): the pieces of a split line are
 * joined per channel, terminators dropped, bytes decoded with U+FFFD. The last `tail` lines over both channels; 0 = all.
 */
export async function logEntriesFrom(stream: AsyncIterable<LogChunk>, id: ContainerId, tail: number): Promise<readonly LogEntry[]> {
  assertTail(tail);
  const lines = new LineJoiner(id);
  for await (const chunk of stream) lines.add(chunk, tail);
  return lines.finish(tail);
}

/** Throws `invalid_spec` unless `tail` is a whole number, 0 or more. */
export function assertTail(tail: number): void {
  if (!Number.isSafeInteger(tail) || tail < 0) {
    throw new BerthError("invalid_spec", `tail must be a whole number of lines, 0 for all, and not ${tail}`);
  }
}

interface OpenLine {
  readonly stream: LogEntry["stream"];
  readonly timestamp: Date;
  readonly parts: Uint8Array[];
}

/** Lines in the order in which they begin. */
class LineJoiner {
  readonly #base: Pick<LogEntry, "source" | "service">;
  readonly #open = new Map<LogEntry["stream"], OpenLine>();
  #lines: OpenLine[] = [];

  constructor(id: ContainerId) {
    this.#base = { source: { type: "container", id: containerIdToString(id) }, service: id.service };
  }

  add(chunk: LogChunk, tail: number): void {
    if (chunk.stream === "stdin") return;
    const line = this.#open.get(chunk.stream) ?? this.#begin(chunk.stream, chunk.timestamp ?? new Date());
    line.parts.push(chunk.bytes);
    if (chunk.bytes.at(-1) === newline) this.#open.delete(chunk.stream);
    // Twice the window, so that cutting costs nothing per line.
    if (tail > 0 && this.#lines.length > 2 * tail) this.#lines = this.#lines.slice(-tail);
  }

  finish(tail: number): readonly LogEntry[] {
    return (tail === 0 ? this.#lines : this.#lines.slice(-tail)).map((line) => this.#entry(line));
  }

  #begin(stream: LogEntry["stream"], timestamp: Date): OpenLine {
    const line: OpenLine = { stream, timestamp, parts: [] };
    this.#open.set(stream, line);
    this.#lines.push(line);
    return line;
  }

  #entry(line: OpenLine): LogEntry {
    return { timestamp: line.timestamp, stream: line.stream, message: withoutTerminator(line.parts), ...this.#base };
  }
}

function withoutTerminator(parts: readonly Uint8Array[]): string {
  const only = parts.length === 1 ? parts[0] : undefined;
  return decoder.decode(only ?? Buffer.concat(parts)).replace(/\r?\n$/, "");
}

/** Names by number, for the signals contract 1.7 lists; others are `signal_<n>`. */
const signalNames: Readonly<Record<number, string>> = {
  1: "SIGHUP",
  2: "SIGINT",
  3: "SIGQUIT",
  4: "SIGILL",
  5: "SIGTRAP",
  6: "SIGABRT",
  7: "SIGBUS",
  8: "SIGFPE",
  9: "SIGKILL",
  10: "SIGUSR1",
  11: "SIGSEGV",
  12: "SIGUSR2",
  13: "SIGPIPE",
  14: "SIGALRM",
  15: "SIGTERM",
  17: "SIGCHLD",
  18: "SIGCONT",
  19: "SIGSTOP",
};

export function signalName(number: number): string {
  return signalNames[number] ?? `signal_${number}`;
}

/** What is known about an end. */
export interface KnownExit {
  /** 0–255, by the shell's convention `128 + n` for a signal. */
  readonly code: number;
  readonly oomKilled?: boolean | undefined;
  /**
   * From the real wait status: the number that ended the process, or `null` when it is known that none did, so that a
   * program's own `exit(137)` is `exited`. Absent = only the code is known.
   */
  readonly signal?: number | null | undefined;
  /** Why the runtime failed, when the process never produced a code of its own. */
  readonly error?: string | undefined;
  readonly finishedAt?: Date | undefined;
}

/** Classifies an exit (contract 1.7): OOM kill, signal, failure of the runtime, exit; in this order. */
export function outcomeFromExit(exit: KnownExit): WaitOutcome {
  const at = exit.finishedAt === undefined ? {} : { finishedAt: exit.finishedAt };
  const signal = signalOf(exit);
  if (exit.oomKilled === true) return { exitCode: exit.code, reason: "oom_killed", ...at };
  if (signal !== undefined) return { exitCode: exit.code, reason: "signal", signal: signalName(signal), ...at };
  return { exitCode: exit.code, reason: exit.error === undefined ? "exited" : "runtime_error", ...at };
}

function signalOf({ code, signal, error }: KnownExit): number | undefined {
  if (signal !== undefined) return signal ?? undefined;
  return error === undefined && code > 128 && code <= 192 ? code - 128 : undefined;
}

/** The signals `killContainer` takes without `anySignal`. */
const killSignals = ["KILL", "TERM", "INT", "HUP", "USR1", "USR2"];

const linuxSignals: readonly string[] =
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS".split(
    " ",
  );
const signalAliases: Readonly<Record<string, number>> = { IOT: 6, CLD: 17, POLL: 29 };
const realtimeMin = 34;
const realtimeMax = 64;

export interface Signal {
  readonly number: number;
  /** `SIGTERM`, `SIGRTMIN+3`, … */
  readonly name: string;
}

/**
 * Reads a signal for `killContainer`: trimmed, case-insensitive, `SIG` optional. Six names; with `anySignal` every Linux
 * name, the numbers 1–64, `RTMIN+n` and `RTMAX-n`. Throws `invalid_spec` for the empty text and anything else.
 */
export function assertSignal(text: string, o: { readonly anySignal?: boolean | undefined } = {}): Signal {
  const name = text.trim().toUpperCase().replace(/^SIG/, "");
  const number = o.anySignal === true ? anySignalNumber(name) : killSignals.includes(name) ? linuxSignals.indexOf(name) + 1 : undefined;
  if (number === undefined) {
    const known = o.anySignal === true ? "a name such as SIGTERM or a number from 1 to 64" : `one of ${killSignals.join(", ")}`;
    throw new BerthError("invalid_spec", `${JSON.stringify(text)} is not a signal; expected ${known}`);
  }
  return { number, name: fullName(number) };
}

function anySignalNumber(name: string): number | undefined {
  if (/^\d+$/.test(name)) return inRange(Number(name), 1, realtimeMax);
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name);
  if (realtime !== null) {
    const base = realtime[1] === "MIN" ? realtimeMin : realtimeMax;
    const offset = Number(realtime[3] ?? 0) * (realtime[2] === "-" ? -1 : 1);
    return inRange(base + offset, realtimeMin, realtimeMax);
  }
  const index = linuxSignals.indexOf(name);
  return index >= 0 ? index + 1 : signalAliases[name];
}

function inRange(value: number, min: number, max: number): number | undefined {
  return value >= min && value <= max ? value : undefined;
}

function fullName(number: number): string {
  const name = linuxSignals[number - 1];
  if (name !== undefined) return `SIG${name}`;
  // 32 and 33 belong to the C library and have no names.
  if (number < realtimeMin) return String(number);
  return number === realtimeMin ? "SIGRTMIN" : `SIGRTMIN+${number - realtimeMin}`;
}

const waitConditions: readonly WaitCondition[] = ["not-running", "next-exit", "removed"];

/** Reads a wait condition from outside; the empty text is `not-running`. Throws `invalid_spec`. */
export function assertWaitCondition(text: string): WaitCondition {
  const condition = text === "" ? "not-running" : waitConditions.find((known) => known === text);
  if (condition === undefined) {
    throw new BerthError("invalid_spec", `${JSON.stringify(text)} is not a wait condition; expected ${waitConditions.join(", ")}`);
  }
  return condition;
}
