/** What follows from other methods: log lists from the log stream, wait outcomes from an exit, signals and conditions from text. */
import { BerthError } from "../errors.ts";
import { type ContainerId, containerIdToString } from "../spec/container-id.ts";
import { parseSignal, signalName, signalOfExitCode } from "../spec/signals.ts";
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
  if (signal !== undefined) return { exitCode: exit.code, reason: "signal", signal, ...at };
  return { exitCode: exit.code, reason: exit.error === undefined ? "exited" : "runtime_error", ...at };
}

function signalOf({ code, signal, error }: KnownExit): string | undefined {
  if (typeof signal === "number") return signalName(signal);
  return signal === undefined && error === undefined ? signalOfExitCode(code) : undefined;
}

export interface Signal {
  readonly number: number;
  /** `SIGTERM`, `SIGRTMIN+3`, … */
  readonly name: string;
}

/**
 * Reads a signal for `killContainer`: six names in any spelling; with `anySignal` every Linux name and number.
 * Throws `invalid_spec` for the empty text and anything else.
 */
export function assertSignal(text: string, o: { readonly anySignal?: boolean | undefined } = {}): Signal {
  const number = parseSignal(text, { any: o.anySignal });
  return { number, name: signalName(number) };
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
