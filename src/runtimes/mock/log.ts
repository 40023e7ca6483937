import type { LogChunk, LogsStreamOptions } from "../../runtime/types.ts";
import { Change } from "./change.ts";
import type { Clock } from "./clock.ts";
import type { Channel } from "./process.ts";

interface LogRecord {
  readonly stream: Channel;
  readonly bytes: Uint8Array;
  readonly timestamp: Date;
}

/** Lines longer than this arrive in several chunks (contract 1.5). */
const maxChunkBytes = 16 * 1024;
const newline = 0x0a;

/** What a container's main process wrote, over all its runs: lines in write order, oldest dropped beyond the limit. */
export class ContainerLog {
  readonly #clock: Clock;
  readonly #maxBytes: number;
  readonly #change = new Change();
  readonly #partial = new Map<Channel, { parts: Uint8Array[]; size: number; timestamp: Date }>();
  #records: LogRecord[] = [];
  /** Number of the first record still held. */
  #first = 0;
  #bytes = 0;

  constructor(clock: Clock, maxBytes: number) {
    this.#clock = clock;
    this.#maxBytes = maxBytes;
  }

  get sizeBytes(): number {
    return this.#bytes;
  }

  append(stream: Channel, bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length; ) {
      const end = bytes.indexOf(newline, from) + 1 || bytes.length;
      this.#appendToLine(stream, bytes.subarray(from, end));
      from = end;
    }
    this.#change.happened();
  }

  /** The process ended: an unfinished line is handed over as it is. */
  flush(): void {
    for (const stream of this.#partial.keys()) this.#endChunk(stream);
    this.#change.happened();
  }

  /** Somebody who follows shall look whether the container still runs. */
  wake(): void {
    this.#change.happened();
  }

  /** Everything that is kept, unfinished lines too, as it was written. */
  pieces(): { readonly channel: Channel; readonly bytes: Uint8Array }[] {
    const unfinished = [...this.#partial].map(([channel, { parts }]) => ({ channel, bytes: Buffer.concat(parts) }));
    return [...this.#records.map(({ stream, bytes }) => ({ channel: stream, bytes })), ...unfinished];
  }

  /** `isLive`: whether more may come. */
  async *read(o: LogsStreamOptions, isLive: () => boolean, stop: AbortSignal): AsyncGenerator<LogChunk> {
    const wanted = selector(o);
    let next = this.#first + this.#records.length;
    for (const record of this.#history(o, wanted)) {
      if (stop.aborted) throw stop.reason;
      yield toChunk(record, o);
    }
    if (o.follow !== true) return;
    const deadline = o.until === undefined ? undefined : this.#deadline(o.until, stop);
    while (true) {
      for (; next < this.#first + this.#records.length; next++) {
        const record = this.#records[Math.max(next, this.#first) - this.#first];
        if (record !== undefined && wanted(record)) yield toChunk(record, o);
      }
      if (!isLive() || deadline?.passed === true) return;
      await this.#change.wait(stop, deadline?.promise);
    }
  }

  #history(o: LogsStreamOptions, wanted: (record: LogRecord) => boolean): readonly LogRecord[] {
    const selected = this.#records.filter(wanted);
    if (o.tail === undefined) return selected;
    return o.tail === 0 ? [] : selected.slice(firstOfLastLines(selected, o.tail));
  }

  #deadline(untilSeconds: number, stop: AbortSignal): { passed: boolean; readonly promise: Promise<void> } {
    const { promise, resolve } = Promise.withResolvers<void>();
    const deadline = { passed: false, promise };
    const timer = this.#clock.after(Math.max(0, untilSeconds * 1000 - this.#clock.now().getTime()), () => {
      deadline.passed = true;
      resolve();
    });
    stop.addEventListener("abort", () => timer[Symbol.dispose](), { once: true });
    return deadline;
  }

  #appendToLine(stream: Channel, bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length; ) {
      const line = this.#partial.get(stream) ?? { parts: [], size: 0, timestamp: this.#clock.now() };
      const piece = bytes.subarray(from, from + maxChunkBytes - line.size);
      line.parts.push(piece);
      line.size += piece.length;
      from += piece.length;
      this.#partial.set(stream, line);
      if (line.size === maxChunkBytes || piece.at(-1) === newline) this.#endChunk(stream);
    }
  }

  #endChunk(stream: Channel): void {
    const line = this.#partial.get(stream);
    if (line === undefined) return;
    this.#partial.delete(stream);
    this.#records.push({ stream, bytes: Buffer.concat(line.parts), timestamp: line.timestamp });
    this.#bytes += line.size;
    let drop = 0;
    for (; this.#bytes > this.#maxBytes && drop < this.#records.length - 1; drop++) this.#bytes -= this.#records[drop]?.bytes.length ?? 0;
    if (drop > 0) this.#records = this.#records.slice(drop);
    this.#first += drop;
  }
}

function selector(o: LogsStreamOptions): (record: LogRecord) => boolean {
  const both = o.stdout !== true && o.stderr !== true;
  const since = o.since === undefined ? -Infinity : o.since * 1000;
  const until = o.until === undefined ? Infinity : o.until * 1000;
  return ({ stream, timestamp }) => (both || o[stream] === true) && timestamp.getTime() >= since && timestamp.getTime() <= until;
}

/** Index of the first record of the last `count` lines; the pieces of a long line count once. */
function firstOfLastLines(records: readonly LogRecord[], count: number): number {
  let lines = 0;
  for (let index = records.length - 1; index >= 0; index--) {
    const before = records[index - 1];
    const begins = before === undefined || before.bytes.at(-1) === newline || before.stream !== records[index]?.stream;
    if (begins && ++lines === count) return index;
  }
  return 0;
}

function toChunk(record: LogRecord, o: LogsStreamOptions): LogChunk {
  const { stream, bytes } = record;
  return o.timestamps === true ? { stream, bytes, timestamp: record.timestamp } : { stream, bytes };
}
