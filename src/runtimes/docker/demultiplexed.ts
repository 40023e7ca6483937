/** Output of an upgraded connection by channel, with the reader's pace. */
import type { Duplex } from "node:stream";
import { connectionError } from "../../docker-api/engine-error.ts";
import { FrameDecoder } from "../../docker-api/multiplexed-stream.ts";
import { BerthError } from "../../errors.ts";

export interface OutputChunk {
  readonly channel: "stdout" | "stderr";
  readonly bytes: Uint8Array;
}

/** What is kept of an output nobody reads; the rest is discarded, so that the process can end (contract 1.8). */
const unclaimedBytes = 64 * 1024;
/** With a reader, this much is read ahead before the connection is paused. */
const headBytes = 1024;
const readAheadBytes = 256 * 1024;

export interface OutputOptions {
  /** Raw bytes without frames. */
  readonly tty: boolean;
  readonly where: string;
  /** Output before somebody reads is kept up to a limit and then dropped, instead of making the process wait. */
  readonly discardUnclaimed: boolean;
  readonly channels?: readonly OutputChunk["channel"][] | undefined;
}

/** One reader's queue between a connection and its iteration. */
export class DemultiplexedOutput implements AsyncIterableIterator<OutputChunk> {
  readonly #socket: Duplex;
  readonly #o: OutputOptions;
  readonly #decoder = new FrameDecoder();
  readonly #ended = Promise.withResolvers<void>();
  #head = "";
  #queue: OutputChunk[] = [];
  #size = 0;
  #claimed = false;
  #done = false;
  #closed = false;
  #failure: unknown;
  #wake = (): void => {};

  constructor(socket: Duplex, o: OutputOptions) {
    this.#socket = socket;
    this.#o = o;
    socket.on("data", (chunk: Uint8Array) => this.#take(chunk));
    socket.once("end", () => this.#finish(undefined));
    socket.on("error", (error) => this.#finish(connectionError(o.where, "stream", error)));
    socket.once("close", () => this.#finish(undefined));
  }

  /** The first of what came on stdout, whoever read it: an engine tells there why it could not start a process. */
  get head(): string {
    return this.#head;
  }

  /** Resolves when the connection has reached its end, however it did. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** What broke the connection, after {@link ended}. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Let go of by {@link close}, and not by the other side. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The first call makes the caller the reader, whom the process waits for. */
  async next(): Promise<IteratorResult<OutputChunk>> {
    this.#claimed = true;
    for (;;) {
      if (this.#closed) return { done: true, value: undefined };
      const chunk = this.#queue.shift();
      if (chunk !== undefined) {
        this.#size -= chunk.bytes.length;
        if (this.#size < readAheadBytes && this.#socket.isPaused()) this.#socket.resume();
        return { done: false, value: chunk };
      }
      if (this.#done) {
        if (this.#failure !== undefined) throw this.#failure;
        return { done: true, value: undefined };
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async return(): Promise<IteratorResult<OutputChunk>> {
    this.close();
    return { done: true, value: undefined };
  }

  /** Lets go of the connection; a pending read ends. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#queue = [];
    this.#socket.destroy();
    this.#wake();
  }

  /** Nobody will read: whatever comes is dropped, so that the end is heard of. */
  discard(): void {
    this.#claimed = false;
    this.#queue = [];
    this.#size = unclaimedBytes;
    this.#socket.resume();
  }

  /** Text of the backend's own, behind what has come so far. */
  append(chunk: OutputChunk): void {
    this.#queue.push(chunk);
    this.#size += chunk.bytes.length;
    this.#wake();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(chunk: Uint8Array): void {
    if (this.#closed) return;
    try {
      if (this.#o.tty) this.#keep("stdout", chunk);
      else
        for (const { channel, bytes } of this.#decoder.push(chunk)) {
          if (channel === "system") throw new BerthError("internal", `the engine broke off the stream: ${Buffer.from(bytes).toString().trim()}`);
          if (channel !== "stdin") this.#keep(channel, bytes);
        }
    } catch (error) {
      this.#finish(error);
      this.#socket.destroy();
    }
  }

  #keep(channel: OutputChunk["channel"], bytes: Uint8Array): void {
    if (channel === "stdout" && this.#head.length < headBytes) this.#head += Buffer.from(bytes.subarray(0, headBytes)).toString();
    if (bytes.length === 0 || this.#o.channels?.includes(channel) === false) return;
    if (!this.#claimed && this.#o.discardUnclaimed && this.#size >= unclaimedBytes) return;
    this.#queue.push({ channel, bytes });
    this.#size += bytes.length;
    if (this.#size >= readAheadBytes) this.#socket.pause();
    this.#wake();
  }

  #finish(failure: unknown): void {
    if (this.#done) return;
    this.#done = true;
    this.#failure = failure ?? this.#brokenFrame();
    this.#ended.resolve();
    this.#wake();
  }

  #brokenFrame(): unknown {
    if (this.#o.tty || this.#closed) return undefined;
    try {
      this.#decoder.end();
      return undefined;
    } catch (error) {
      return error;
    }
  }
}
