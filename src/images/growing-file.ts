/**
 * A file that one thread writes and others read while it grows. What is shared is only how far the writer is; the bytes
 * themselves are in the file, so a slow reader costs no memory.
 */
import { readSync } from "node:fs";
import { BerthError } from "../errors.ts";

const writing = 0;
const complete = 1;
const stopped = 2;
const readBytes = 256 * 1024;

/** Layout of the shared memory: two 32-bit words (ticks, state) and two 64-bit ones (bytes available, bytes consumed). */
const layoutBytes = 24;

export class GrowthNotice {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #bytes: BigInt64Array<SharedArrayBuffer>;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(layoutBytes)) {
    this.shared = shared;
    this.#words = new Int32Array(shared, 0, 2);
    this.#bytes = new BigInt64Array(shared, 8, 2);
  }

  /** So many bytes can be read from the file now. */
  publish(available: number): void {
    Atomics.store(this.#bytes, 0, BigInt(available));
    this.#wake();
  }

  /** What was published is the whole file. */
  finish(): void {
    Atomics.compareExchange(this.#words, 1, writing, complete);
    this.#wake();
  }

  /** The rest never comes, or nobody wants it any more: readers fail, also those of a complete file. */
  stop(): void {
    Atomics.store(this.#words, 1, stopped);
    this.#wake();
  }

  /** How far the reader is; with several, the last to say so. */
  get consumed(): number {
    return Number(Atomics.load(this.#bytes, 1));
  }

  consume(position: number): void {
    Atomics.store(this.#bytes, 1, BigInt(position));
  }

  /** Resolves with the bytes available once they are more than `position`, or with `position` at the end of the file. */
  async beyond(position: number): Promise<number> {
    for (;;) {
      const tick = Atomics.load(this.#words, 0);
      const state = Atomics.load(this.#words, 1);
      const available = Number(Atomics.load(this.#bytes, 0));
      if (state === stopped) throw new BerthError("aborted", "the download stopped");
      if (available > position) return available;
      if (state === complete) return position;
      const wait = Atomics.waitAsync(this.#words, 0, tick);
      if (wait.async) await wait.value;
    }
  }

  #wake(): void {
    Atomics.add(this.#words, 0, 1);
    Atomics.notify(this.#words, 0);
  }
}

/** Reads the file to its end, as it grows. Each chunk is valid until the next one is asked for. */
export async function* follow(fd: number, notice: GrowthNotice): AsyncGenerator<Buffer, void, void> {
  const buffer = Buffer.allocUnsafeSlow(readBytes);
  for (let position = 0; ; ) {
    const available = await notice.beyond(position);
    if (available === position) return;
    const length = readSync(fd, buffer, 0, Math.min(buffer.length, available - position), position);
    if (length === 0) throw new BerthError("internal", "a blob's file is shorter than was written");
    position += length;
    notice.consume(position);
    yield buffer.subarray(0, length);
  }
}
