/** Output of exec'd processes as events (method 15) and as one buffered result (method 9). */
import { messageOf } from "../errors.ts";
import type { ExecEvent, ExecResult } from "./types.ts";

export type ExecChannel = "stdout" | "stderr";

export interface ExecOutputChunk {
  readonly channel: ExecChannel;
  readonly bytes: Uint8Array;
}

/** Buffered exec keeps this many bytes per channel and discards the rest (method 9). */
export const execOutputLimit: number = 16 * 1024 * 1024;

/** Partial lines of a stream are handed on after this many bytes or milliseconds (method 15). */
const partialLineBytes = 16 * 1024;
const partialLineMs = 100;

/** The events of a finished exec: one `stdout`, one `stderr` if there was any, then `exit` (default of method 15). */
export async function* execResultEvents(result: ExecResult): AsyncGenerator<ExecEvent> {
  if (result.stdout !== "") yield { kind: "stdout", data: result.stdout };
  if (result.stderr !== "") yield { kind: "stderr", data: result.stderr };
  yield { kind: "exit", code: result.exitCode };
}

/**
 * Cuts one channel into the strings `execStream` yields: whole lines with their newline, or 16 KiB of a line without one.
 * Joining everything gives the decoded channel; a multi-byte character is never split.
 */
export class LineSplitter {
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #rest = "";

  /** Complete pieces; what remains of the last line stays inside. */
  push(bytes: Uint8Array): readonly string[] {
    const pieces = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split(/(?<=\n)/);
    this.#rest = pieces.at(-1)?.endsWith("\n") === false ? (pieces.pop() ?? "") : "";
    if (Buffer.byteLength(this.#rest) >= partialLineBytes) pieces.push(this.flush() ?? "");
    return pieces.filter((piece) => piece !== "");
  }

  get hasPartialLine(): boolean {
    return this.#rest !== "";
  }

  /** The partial line so far, without bytes of an unfinished character. */
  flush(): string | undefined {
    const rest = this.#rest;
    this.#rest = "";
    return rest === "" ? undefined : rest;
  }

  /** What is left at the end of the channel; an unfinished character becomes U+FFFD. */
  end(): string | undefined {
    this.#rest += this.#decoder.decode();
    return this.flush();
  }
}

export interface ExecEventsOptions {
  /** Called when leaving the loop early: kills the exec'd process group and releases everything. */
  readonly abandon?: (() => void) | undefined;
  /** Trouble in the middle ends the stream without `exit` (method 15) and is told here. */
  readonly onTrouble?: ((message: string) => void) | undefined;
  /** An abort rejects the pending `next()` with its reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface RunningExec {
  readonly output: AsyncIterable<ExecOutputChunk>;
  readonly exit: Promise<number>;
}

/** `execStream` out of a running exec. Abort and `return()` abandon the process also before the first `next()`. */
export function execEvents(handle: RunningExec, o: ExecEventsOptions = {}): AsyncIterableIterator<ExecEvent> {
  let settled = false;
  const abandon = (): void => {
    if (!settled) o.abandon?.();
    settled = true;
  };
  o.signal?.addEventListener("abort", abandon, { once: true });
  if (o.signal?.aborted === true) abandon();
  handle.exit.catch(() => {});
  const finish = (): void => {
    settled = true;
    o.signal?.removeEventListener("abort", abandon);
  };
  const events = readEvents(handle, { ...o, abandon, finish });
  return {
    next: () => events.next(),
    // A generator answers `return` only after a pending `next`; abandoning the process settles that one.
    return: () => {
      abandon();
      // Before the first `next` the generator has not begun, and so would not do it.
      finish();
      return events.return(undefined);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

interface ReadOptions extends ExecEventsOptions {
  readonly abandon: () => void;
  readonly finish: () => void;
}

async function* readEvents(handle: RunningExec, o: ReadOptions): AsyncGenerator<ExecEvent, undefined> {
  const source = handle.output[Symbol.asyncIterator]();
  try {
    yield* lineEvents(source, o.signal);
    const code = await settle(handle.exit, undefined, o.signal);
    o.finish();
    if (code !== "late") yield { kind: "exit", code };
  } catch (thrown) {
    if (o.signal?.aborted) throw o.signal.reason;
    o.onTrouble?.(messageOf(thrown));
  } finally {
    o.abandon();
    o.finish();
    void source.return?.()?.catch(() => {});
  }
  return undefined;
}

async function* lineEvents(source: AsyncIterator<ExecOutputChunk>, signal: AbortSignal | undefined): AsyncGenerator<ExecEvent> {
  const lines = { stdout: new LineSplitter(), stderr: new LineSplitter() } as const;
  let partialSince: number | undefined;
  let next = source.next();
  while (true) {
    const partial = lines.stdout.hasPartialLine || lines.stderr.hasPartialLine;
    partialSince = partial ? (partialSince ?? performance.now()) : undefined;
    const waitMs = partialSince === undefined ? undefined : Math.max(0, partialSince + partialLineMs - performance.now());
    const step = await settle(next, waitMs, signal);
    if (step === "late") {
      yield* remainders(lines, (splitter) => splitter.flush());
    } else if (step.done === true) {
      return yield* remainders(lines, (splitter) => splitter.end());
    } else {
      const { channel, bytes } = step.value;
      for (const data of lines[channel].push(bytes)) yield { kind: channel, data };
      next = source.next();
      // It may reject while the reader is still busy with the lines before.
      next.catch(() => {});
    }
  }
}

function* remainders(lines: Readonly<Record<ExecChannel, LineSplitter>>, take: (splitter: LineSplitter) => string | undefined): Generator<ExecEvent> {
  for (const kind of ["stdout", "stderr"] as const) {
    const data = take(lines[kind]);
    if (data !== undefined) yield { kind, data };
  }
}

/** The promise's value, or `late` when `lateMs` pass first; rejects on abort. */
function settle<T>(promise: Promise<T>, lateMs: number | undefined, signal: AbortSignal | undefined): Promise<T | "late"> {
  return new Promise((resolve, reject) => {
    const timer = lateMs === undefined ? undefined : setTimeout(() => done(() => resolve("late")), lateMs);
    const onAbort = (): void => done(() => reject(signal?.reason));
    function done(finish: () => void): void {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      finish();
    }
    if (signal?.aborted === true) return onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    promise.then(
      (value) => done(() => resolve(value)),
      (thrown: unknown) => done(() => reject(thrown)),
    );
  });
}

/** Collects both channels of a buffered exec; past {@link execOutputLimit} bytes are counted as truncated, not kept. */
export class ExecCollector {
  readonly #limit: number;
  readonly #chunks: Readonly<Record<ExecChannel, Uint8Array[]>> = { stdout: [], stderr: [] };
  readonly #sizes: Record<ExecChannel, number> = { stdout: 0, stderr: 0 };
  #truncated = false;

  constructor(limit: number = execOutputLimit) {
    this.#limit = limit;
  }

  add(channel: ExecChannel, bytes: Uint8Array): void {
    const room = this.#limit - this.#sizes[channel];
    const kept = bytes.length > room ? bytes.subarray(0, room) : bytes;
    if (kept.length < bytes.length) this.#truncated = true;
    if (kept.length === 0) return;
    this.#chunks[channel].push(kept);
    this.#sizes[channel] += kept.length;
  }

  /** Decodes as UTF-8 with U+FFFD. `message` is appended to stderr: why the process could not be started. */
  result(exitCode: number, message?: string): ExecResult {
    const stderr = decode(this.#chunks.stderr);
    const text = message === undefined || message === "" ? stderr : `${stderr}${message}\n`;
    const base = { exitCode, stdout: decode(this.#chunks.stdout), stderr: text };
    return this.#truncated ? { ...base, truncated: true } : base;
  }
}

function decode(chunks: readonly Uint8Array[]): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.concat(chunks));
}

/** The whole of an exec's output and its exit code as the result of method 9. */
export async function collectExec(handle: RunningExec, o: { readonly limit?: number | undefined } = {}): Promise<ExecResult> {
  const collector = new ExecCollector(o.limit);
  for await (const { channel, bytes } of handle.output) collector.add(channel, bytes);
  return collector.result(await handle.exit);
}
