import { BerthError } from "../../errors.ts";

/** Bytes on their way to one reader. A push resolves when its bytes were taken; after the end nothing is accepted. */
export class ByteQueue implements AsyncIterable<Uint8Array> {
  readonly #chunks: { readonly bytes: Uint8Array; readonly taken: () => void; readonly lost: (error: unknown) => void }[] = [];
  #wake: () => void = () => {};
  #ended = false;
  #closed = false;

  push(bytes: Uint8Array): Promise<void> {
    if (this.#ended || this.#closed) return Promise.reject(new BerthError("conflict", "stdin is closed"));
    return new Promise((taken, lost) => {
      this.#chunks.push({ bytes, taken, lost });
      this.#wake();
    });
  }

  /** The reader sees the end after what was pushed. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** The reader is gone: pending pushes reject. */
  close(): void {
    this.#closed = true;
    for (const chunk of this.#chunks.splice(0)) chunk.lost(new BerthError("conflict", "the process ended"));
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    while (!this.#closed) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        chunk.taken();
        yield chunk.bytes;
      } else if (this.#ended) {
        return;
      } else {
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    }
  }
}
