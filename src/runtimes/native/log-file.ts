/**
 * Reads the log conmon writes (`k8s-file`): one record a line, `<RFC 3339 time> <stdout|stderr> <F|P> <bytes>`. A record
 * tagged `P` lacks its newline; the next record of the same stream goes on where it stopped.
 */
import { closeSync, existsSync, fstatSync, openSync, readSync, watch } from "node:fs";
import { dirname } from "node:path";
import type { LogChunk, LogsStreamOptions } from "../../runtime/types.ts";

const maxChunkBytes = 16 * 1024;
const readBytes = 256 * 1024;
const [newline, space] = [10, 32];

interface LogRecord {
  readonly timestamp: Date;
  /** With nanoseconds, for comparing against `since` and `until`. */
  readonly seconds: number;
  readonly stream: "stdout" | "stderr";
  readonly bytes: Uint8Array;
}

/** Joins partial records into lines and splits lines that are longer than 16 KiB. */
class LineAssembler {
  readonly #pending = new Map<"stdout" | "stderr", { first: LogRecord; parts: Uint8Array[]; length: number }>();

  *push(record: LogRecord, isPartial: boolean): Generator<LogRecord> {
    const before = this.#pending.get(record.stream);
    if (before === undefined && !isPartial && record.bytes.length < maxChunkBytes) {
      yield { ...record, bytes: withNewline([record.bytes], record.bytes.length) };
      return;
    }
    const line = before ?? { first: record, parts: [], length: 0 };
    line.parts.push(record.bytes);
    line.length += record.bytes.length;
    if (!isPartial) {
      this.#pending.delete(record.stream);
      yield* chunks(line.first, withNewline(line.parts, line.length));
    } else if (line.length >= maxChunkBytes) {
      const bytes = Buffer.concat(line.parts, line.length);
      const whole = line.length - (line.length % maxChunkBytes);
      yield* chunks(line.first, bytes.subarray(0, whole));
      const rest = bytes.subarray(whole);
      this.#pending.set(record.stream, { first: record, parts: [rest], length: rest.length });
    } else {
      this.#pending.set(record.stream, line);
    }
  }

  /** What never got its newline. */
  *flush(): Generator<LogRecord> {
    for (const line of this.#pending.values()) {
      if (line.length > 0) yield* chunks(line.first, Buffer.concat(line.parts, line.length));
    }
    this.#pending.clear();
  }
}

function withNewline(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(length + 1);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  bytes[length] = newline;
  return bytes;
}

function* chunks(record: LogRecord, bytes: Uint8Array): Generator<LogRecord> {
  for (let offset = 0; offset < bytes.length; offset += maxChunkBytes) {
    yield { ...record, bytes: bytes.subarray(offset, offset + maxChunkBytes) };
  }
}

/** One record without its newline, or `undefined` for a line that conmon did not write. */
function parseRecord(line: Buffer): { record: LogRecord; isPartial: boolean } | undefined {
  const afterTime = line.indexOf(space);
  const afterStream = line.indexOf(space, afterTime + 1);
  if (afterTime < 0 || afterStream < 0) return undefined;
  const stream = line.toString("latin1", afterTime + 1, afterStream);
  if (stream !== "stdout" && stream !== "stderr") return undefined;
  const time = parseTime(line.toString("latin1", 0, afterTime));
  // A copy: the read buffer is used again while the consumer holds this record.
  const bytes = Uint8Array.prototype.slice.call(line, afterStream + 3);
  return { record: { ...time, stream, bytes }, isPartial: line[afterStream + 1] === 80 };
}

let lastSecondText = "";
let lastSecond = 0;

/** Consecutive records mostly share their second: parsing it once is what makes reading a long log fast. */
function parseTime(text: string): { timestamp: Date; seconds: number } {
  const secondText = text.slice(0, 19) + text.slice(29);
  if (secondText !== lastSecondText) {
    lastSecond = Date.parse(secondText) / 1000;
    lastSecondText = secondText;
  }
  const nanoseconds = Number(text.slice(20, 29));
  const seconds = lastSecond + nanoseconds / 1e9;
  return { timestamp: new Date(lastSecond * 1000 + nanoseconds / 1e6), seconds };
}

/** Where reading of a growing log stands. */
class LogCursor implements Disposable {
  readonly #path: string;
  readonly #buffer = Buffer.allocUnsafe(readBytes);
  readonly #lines = new LineAssembler();
  #fd = -1;
  #position = 0;
  #rest: Buffer = Buffer.alloc(0);

  constructor(path: string) {
    this.#path = path;
  }

  /** Records that are complete by now, at most one buffer's worth; empty when there is nothing new. */
  read(): LogRecord[] | undefined {
    if (this.#fd < 0 && existsSync(this.#path)) this.#fd = openSync(this.#path, "r");
    if (this.#fd < 0 || fstatSync(this.#fd).size <= this.#position) return undefined;
    const length = readSync(this.#fd, this.#buffer, 0, readBytes, this.#position);
    if (length === 0) return undefined;
    this.#position += length;
    return this.#split(this.#buffer.subarray(0, length));
  }

  /** The part of a last line that never ended. */
  flush(): LogRecord[] {
    return [...this.#lines.flush()];
  }

  #split(bytes: Buffer): LogRecord[] {
    const data = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const records: LogRecord[] = [];
    let start = 0;
    for (let end = data.indexOf(newline); end >= 0; end = data.indexOf(newline, start)) {
      const parsed = parseRecord(data.subarray(start, end));
      if (parsed !== undefined) records.push(...this.#lines.push(parsed.record, parsed.isPartial));
      start = end + 1;
    }
    this.#rest = Buffer.from(data.subarray(start));
    return records;
  }

  [Symbol.dispose](): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }
}

export interface LogSourceState {
  /** Whether more output can come; asked again after every notice. */
  readonly isLive: () => boolean;
  /** Calls back when a run ended or the container was removed; returns how to stop that. */
  readonly onEnd: (notify: () => void) => () => void;
}

/** Selection: channels, then `since` and `until`, then the last `tail`, then live output (contract method 22). */
export async function* readLog(path: string, o: LogsStreamOptions, source: LogSourceState, stop: AbortSignal): AsyncGenerator<LogChunk> {
  const both = !o.stdout && !o.stderr;
  const selects = (record: LogRecord): boolean =>
    (both || (record.stream === "stdout" ? o.stdout === true : o.stderr === true)) &&
    record.seconds >= (o.since ?? Number.NEGATIVE_INFINITY) &&
    record.seconds <= (o.until ?? Number.POSITIVE_INFINITY);
  const toChunk = ({ stream, bytes, timestamp }: LogRecord): LogChunk => (o.timestamps ? { stream, bytes, timestamp } : { stream, bytes });
  using cursor = new LogCursor(path);
  if (o.since !== undefined && o.until !== undefined && o.since > o.until) return;
  const follow = o.follow === true;
  using changes = new LogChanges(path, follow, source, o.until, stop);
  let isLive = follow && source.isLive();
  const history = o.tail === undefined ? undefined : new Tail(o.tail);
  for (let records = cursor.read(); records !== undefined; records = cursor.read()) {
    stop.throwIfAborted();
    for (const record of records.filter(selects)) {
      if (history === undefined) yield toChunk(record);
      else history.push(record);
    }
  }
  if (!isLive) {
    for (const record of cursor.flush().filter(selects)) {
      if (history === undefined) yield toChunk(record);
      else history.push(record);
    }
  }
  if (history !== undefined) for (const record of history.records()) yield toChunk(record);
  while (isLive && !changes.isPastUntil()) {
    await changes.next();
    stop.throwIfAborted();
    // Asked before the read: what was written before the end is then read for certain.
    isLive = source.isLive();
    for (let records = cursor.read(); records !== undefined; records = cursor.read()) {
      for (const record of records.filter(selects)) yield toChunk(record);
    }
    if (!isLive) for (const record of cursor.flush().filter(selects)) yield toChunk(record);
  }
}

/** The last `count` records without holding all that came before. */
class Tail {
  readonly #count: number;
  #records: LogRecord[] = [];

  constructor(count: number) {
    this.#count = count;
  }

  push(record: LogRecord): void {
    if (this.#count === 0) return;
    this.#records.push(record);
    if (this.#records.length >= 2 * this.#count + 1024) this.#records = this.#records.slice(-this.#count);
  }

  records(): readonly LogRecord[] {
    return this.#count === 0 ? [] : this.#records.slice(-this.#count);
  }
}

/** Wakes a follower: the log grew, the run ended, `until` passed or the caller gave up. */
class LogChanges implements Disposable {
  readonly #release: (() => void)[] = [];
  readonly #until: number | undefined;
  #changed = false;
  #wake: (() => void) | undefined;

  constructor(path: string, follow: boolean, source: LogSourceState, until: number | undefined, stop: AbortSignal) {
    this.#until = until;
    if (!follow) return;
    const notify = (): void => this.#notify();
    const watcher = watch(existsSync(path) ? path : dirname(path), notify);
    watcher.on("error", notify);
    this.#release.push(() => watcher.close(), source.onEnd(notify));
    if (until !== undefined) {
      const timer = setTimeout(notify, Math.min(Math.max(0, until * 1000 - Date.now()) + 1, 2 ** 31 - 1));
      this.#release.push(() => clearTimeout(timer));
    }
    stop.addEventListener("abort", notify);
    this.#release.push(() => stop.removeEventListener("abort", notify));
  }

  isPastUntil(): boolean {
    return this.#until !== undefined && Date.now() > this.#until * 1000;
  }

  async next(): Promise<void> {
    if (!this.#changed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
    this.#changed = false;
  }

  #notify(): void {
    this.#changed = true;
    this.#wake?.();
    this.#wake = undefined;
  }

  [Symbol.dispose](): void {
    for (const release of this.#release.splice(0)) release();
    this.#notify();
  }
}
