/**
 * A stream of bytes between two threads through shared memory, so that neither copies more than once and a slow reader
 * makes the writer wait. One side works synchronously (a worker thread that must not yield), the other awaits. One writer,
 * one reader.
 */

/** Header: words 0 ticks, 1 state, 2 bytes written, 3 bytes read; the counts wrap around, only their difference matters. */
const headerBytes = 32;
const [tickWord, stateWord, writtenWord, readWord] = [0, 1, 2, 3];
const defaultCapacity = 1024 * 1024;
/** The reader is told of so much at once: waking it costs more than copying some bytes. */
const publishBytes = 64 * 1024;

const open = 0;
/** The writer has nothing more. */
const ended = 1;
/** The reader wants nothing more, or the writer failed: what is left is of no use. */
const broken = 2;

/** The other side went away. */
export class BrokenRingError extends Error {
  constructor() {
    super("the other end of the stream is gone");
    this.name = "BrokenRingError";
  }
}

export class ByteRing {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #data: Buffer<SharedArrayBuffer>;
  /** Written by this side, and not told yet. */
  #unpublished = 0;
  /** Where this side writes or reads next. */
  #position = 0;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(headerBytes + defaultCapacity)) {
    this.shared = shared;
    this.#words = new Int32Array(shared, 0, 4);
    this.#data = Buffer.from(shared, headerBytes);
  }

  /** Room for the next bytes, in one piece; fill some of it and {@link wrote} them. Blocks while there is none. */
  room(): Buffer {
    for (;;) {
      const tick = Atomics.load(this.#words, tickWord);
      const free = this.#room();
      if (free !== undefined) return free;
      if (this.#unpublished > 0) this.flush();
      else Atomics.wait(this.#words, tickWord, tick);
    }
  }

  wrote(bytes: number): void {
    this.#advance(bytes);
    this.#unpublished += bytes;
    if (this.#unpublished >= publishBytes) this.flush();
  }

  /** Shows the reader everything written so far. */
  flush(): void {
    Atomics.add(this.#words, writtenWord, this.#unpublished);
    this.#unpublished = 0;
    this.#wake();
  }

  /** Blocks until all of it is in the ring. */
  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const room = this.room();
      const count = Math.min(room.length, bytes.length - at);
      room.set(bytes.subarray(at, at + count));
      this.wrote(count);
      at += count;
    }
  }

  /** As {@link write}, for a thread that must not block. */
  async writeSoon(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const tick = Atomics.load(this.#words, tickWord);
      const room = this.#room();
      if (room === undefined) {
        await this.#ticked(tick);
        continue;
      }
      const count = Math.min(room.length, bytes.length - at);
      room.set(bytes.subarray(at, at + count));
      this.#advance(count);
      this.#unpublished += count;
      this.flush();
      at += count;
    }
  }

  /** Nothing more will be written. */
  end(): void {
    this.flush();
    Atomics.compareExchange(this.#words, stateWord, open, ended);
    this.#wake();
  }

  /** From either side: the other one's next call throws {@link BrokenRingError}. */
  break(): void {
    Atomics.store(this.#words, stateWord, broken);
    this.#wake();
  }

  /** What can be read now, in one piece, valid until {@link tookAll}; `undefined` at the end. Blocks while there is nothing. */
  take(): Buffer | undefined {
    for (;;) {
      const tick = Atomics.load(this.#words, tickWord);
      const found = this.#readable();
      if (found !== "none yet") return found;
      Atomics.wait(this.#words, tickWord, tick);
    }
  }

  /** As {@link take}, for a thread that must not block. */
  async takeSoon(): Promise<Buffer | undefined> {
    for (;;) {
      const tick = Atomics.load(this.#words, tickWord);
      const found = this.#readable();
      if (found !== "none yet") return found;
      await this.#ticked(tick);
    }
  }

  /** Gives the room of bytes that were taken back to the writer. */
  took(bytes: number): void {
    this.#advance(bytes);
    Atomics.add(this.#words, readWord, bytes);
    this.#wake();
  }

  #room(): Buffer | undefined {
    if (Atomics.load(this.#words, stateWord) === broken) throw new BrokenRingError();
    const free = this.#data.length - this.#used() - this.#unpublished;
    if (free === 0) return undefined;
    return this.#data.subarray(this.#position, Math.min(this.#data.length, this.#position + free));
  }

  #readable(): Buffer | undefined | "none yet" {
    const state = Atomics.load(this.#words, stateWord);
    if (state === broken) throw new BrokenRingError();
    const used = this.#used();
    if (used === 0) return state === ended ? undefined : "none yet";
    return this.#data.subarray(this.#position, Math.min(this.#data.length, this.#position + used));
  }

  /** Bytes that were told of and not taken. */
  #used(): number {
    return (Atomics.load(this.#words, writtenWord) - Atomics.load(this.#words, readWord)) | 0;
  }

  #advance(bytes: number): void {
    this.#position = (this.#position + bytes) % this.#data.length;
  }

  async #ticked(tick: number): Promise<void> {
    const wait = Atomics.waitAsync(this.#words, tickWord, tick);
    if (wait.async) await wait.value;
  }

  #wake(): void {
    Atomics.add(this.#words, tickWord, 1);
    Atomics.notify(this.#words, tickWord);
  }
}
