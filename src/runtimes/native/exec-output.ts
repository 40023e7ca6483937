import { Duplex, type Readable } from "node:stream";

export type ExecChunk = { readonly channel: "stdout" | "stderr"; readonly bytes: Uint8Array };

/** What is kept for a reader that has not come yet; the rest is discarded, so that the process can end (contract 1.8). */
const unclaimedBytes = 64 * 1024;
/** With a reader, this much is read ahead before the pipes are paused. */
const readAheadBytes = 256 * 1024;

/** Output of an exec in arrival order, between its pipes and one reader. */
export class ExecOutput {
  readonly #sources: Readable[] = [];
  readonly #queue: ExecChunk[] = [];
  #size = 0;
  #open = 0;
  #claimed = false;
  #isClosed = false;
  #wake = (): void => {};
  readonly #ended = Promise.withResolvers<void>();

  /** `expects` = how many sources come later, by {@link add}. */
  constructor(sources: readonly (readonly [Readable, ExecChunk["channel"]])[], o: { readonly expects?: number } = {}) {
    this.#open = sources.length + (o.expects ?? 0);
    if (this.#open === 0) this.#ended.resolve();
    for (const [source, channel] of sources) this.#listen(source, channel);
  }

  /** A source that was expected; without one it does not come any more. */
  add(source: Readable | undefined, channel: ExecChunk["channel"]): void {
    if (source === undefined) this.#sourceEnded();
    else this.#listen(source, channel);
  }

  #listen(source: Readable, channel: ExecChunk["channel"]): void {
    this.#sources.push(source);
    source.on("data", (bytes: Uint8Array) => this.push({ channel, bytes }));
    // A pty answers EIO when its last process is gone: that is its end of file.
    source.on("error", () => source.destroy());
    source.once("close", () => this.#sourceEnded());
    if (this.#isClosed) source.destroy();
  }

  push(chunk: ExecChunk): void {
    if (!this.#claimed && this.#size >= unclaimedBytes) return;
    this.#queue.push(chunk);
    this.#size += chunk.bytes.length;
    if (this.#claimed && this.#size >= readAheadBytes) for (const source of this.#sources) source.pause();
    this.#wake();
  }

  /** Resolves when all pipes reached their end. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** The next piece; `undefined` at the end. The first call makes the caller the reader, whom the process waits for. */
  async next(): Promise<ExecChunk | undefined> {
    this.#claimed = true;
    for (;;) {
      const chunk = this.#queue.shift();
      if (chunk !== undefined) {
        this.#size -= chunk.bytes.length;
        return chunk;
      }
      if (this.#open === 0) return undefined;
      for (const source of this.#sources) source.resume();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ExecChunk> {
    try {
      for (let chunk = await this.next(); chunk !== undefined; chunk = await this.next()) yield chunk;
    } finally {
      this.close();
    }
  }

  /** Lets go of the pipes: what is still written to them fails. */
  close(): void {
    this.#isClosed = true;
    for (const source of this.#sources) source.destroy();
  }

  #sourceEnded(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#ended.resolve();
    this.#wake();
  }
}

/** Stdin and merged output as one stream. */
export function execDuplex(output: ExecOutput, stdin: { write(chunk: Uint8Array, done: () => void): void; end(): void; hangUp(): void }): Duplex {
  let isReading = false;
  const pump = async (duplex: Duplex): Promise<void> => {
    isReading = true;
    try {
      for (;;) {
        const chunk = await output.next();
        if (chunk === undefined) {
          duplex.push(null);
          return;
        }
        if (!duplex.push(chunk.bytes)) return;
      }
    } finally {
      isReading = false;
    }
  };
  return new Duplex({
    read() {
      if (!isReading) void pump(this);
    },
    write(chunk: Uint8Array, _encoding, done) {
      stdin.write(chunk, () => done());
    },
    final(done) {
      stdin.end();
      done();
    },
    destroy(error, done) {
      stdin.hangUp();
      output.close();
      done(error);
    },
  });
}
