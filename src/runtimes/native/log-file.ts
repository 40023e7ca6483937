/** Method 22 on the files conmon writes: history by selection, then what comes, across rotations. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import type { LogChunk, LogsStreamOptions } from "../../runtime/types.ts";
import { LogChanges, type LogSourceState } from "./log-changes.ts";
import { LogCursor } from "./log-cursor.ts";
import type { LogRecord } from "./log-record.ts";

/** Selection: channels, then `since` and `until`, then the last `tail`, then live output (contract method 22). */
export async function* readLog(path: string, o: LogsStreamOptions, source: LogSourceState, stop: AbortSignal): AsyncGenerator<LogChunk> {
  if (o.since !== undefined && o.until !== undefined && o.since > o.until) return;
  const selects = selector(o);
  const toChunk = ({ stream, bytes, timestamp }: LogRecord): LogChunk => (o.timestamps ? { stream, bytes, timestamp } : { stream, bytes });
  using cursor = new LogCursor(path);
  const isFollowed = o.follow === true && existsSync(dirname(path));
  using changes = isFollowed ? new LogChanges(path, { source, until: o.until, stop, onRotation: () => cursor.keepUp() }) : undefined;
  let isLive = isFollowed && source.isLive();
  const tail = o.tail === undefined ? undefined : new Tail(o.tail);
  for (let records = cursor.read(); records !== undefined; records = cursor.read()) {
    stop.throwIfAborted();
    for (const record of records) {
      if (!selects(record)) continue;
      if (tail === undefined) yield toChunk(record);
      else tail.push(record);
    }
  }
  if (!isLive) {
    for (const record of cursor.flush().filter(selects)) {
      if (tail === undefined) yield toChunk(record);
      else tail.push(record);
    }
  }
  if (tail !== undefined) for (const record of tail.records()) yield toChunk(record);
  while (isLive && changes !== undefined && !changes.isPastUntil()) {
    await changes.next();
    stop.throwIfAborted();
    // Asked before the read: what was written before the end is then read for certain.
    isLive = source.isLive();
    for (let records = cursor.read(); records !== undefined; records = cursor.read()) {
      for (const record of records) if (selects(record)) yield toChunk(record);
    }
    if (!isLive) for (const record of cursor.flush().filter(selects)) yield toChunk(record);
  }
}

function selector(o: LogsStreamOptions): (record: LogRecord) => boolean {
  const both = !o.stdout && !o.stderr;
  const { since = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY } = o;
  return ({ stream, seconds }) => (both || (stream === "stdout" ? o.stdout === true : o.stderr === true)) && seconds >= since && seconds <= until;
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
