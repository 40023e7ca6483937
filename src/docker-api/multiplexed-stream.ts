/**
 * Docker's multiplexed stream (`application/vnd.docker.multiplexed-stream`): frames of one channel byte, three zero bytes,
 * the payload's length as big-endian 32 bits, and the payload. With a terminal there are no frames but raw bytes.
 */
import { BerthError } from "../errors.ts";

/** `system` carries the engine's own error text in the middle of a stream. */
export type FrameChannel = "stdin" | "stdout" | "stderr" | "system";

const channels: readonly FrameChannel[] = ["stdin", "stdout", "stderr", "system"];
const headerBytes = 8;

/** Engines send at most 32 KiB of output, or one log line, in a frame; what claims to be longer is no frame. */
export const maxFrameBytes: number = 16 * 1024 * 1024;

/** A piece of a frame's payload, as it came: long frames are not collected. */
export interface FramePart {
  readonly channel: FrameChannel;
  readonly bytes: Uint8Array;
  /** The frame ends with this piece. */
  readonly last: boolean;
}

export function frameHeader(channel: FrameChannel, lengthBytes: number): Uint8Array {
  const header = Buffer.alloc(headerBytes);
  header[0] = channels.indexOf(channel);
  header.writeUInt32BE(lengthBytes, 4);
  return header;
}

/** Header and payload in one piece. */
export function encodeFrame(channel: FrameChannel, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([frameHeader(channel, bytes.length), bytes]);
}

/** Takes a stream apart. Nothing but an unfinished header is kept between two calls. */
export class FrameDecoder {
  readonly #maxFrameBytes: number;
  readonly #header = Buffer.alloc(headerBytes);
  #headerFilled = 0;
  #channel: FrameChannel = "stdout";
  /** Of the current frame's payload. */
  #missing = 0;

  constructor(o: { readonly maxFrameBytes?: number | undefined } = {}) {
    this.#maxFrameBytes = o.maxFrameBytes ?? maxFrameBytes;
  }

  /** Throws `internal` when the bytes are no frames. Parts share memory with the chunk. */
  *push(chunk: Uint8Array): Generator<FramePart> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#headerFilled < headerBytes) {
        at = this.#fillHeader(chunk, at);
        if (this.#headerFilled < headerBytes) return;
        this.#readHeader();
        // An empty frame is a frame too.
        if (this.#missing === 0) yield this.#part(chunk.subarray(at, at));
      } else {
        const end = Math.min(chunk.length, at + this.#missing);
        const bytes = chunk.subarray(at, end);
        this.#missing -= bytes.length;
        at = end;
        yield this.#part(bytes);
      }
    }
  }

  /** Throws `internal` when the stream ended inside a frame. */
  end(): void {
    if (this.#headerFilled > 0) throw new BerthError("internal", "the engine's stream broke off inside a frame");
  }

  #part(bytes: Uint8Array): FramePart {
    const last = this.#missing === 0;
    if (last) this.#headerFilled = 0;
    return { channel: this.#channel, bytes, last };
  }

  #fillHeader(chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.length, at + headerBytes - this.#headerFilled);
    this.#header.set(chunk.subarray(at, end), this.#headerFilled);
    this.#headerFilled += end - at;
    return end;
  }

  #readHeader(): void {
    const [number = 0, ...zeros] = this.#header.subarray(0, 4);
    const channel = channels[number];
    if (channel === undefined || zeros.some((byte) => byte !== 0)) {
      throw new BerthError("internal", `the engine's stream is not in frames: a header begins with ${this.#header.toString("hex", 0, 4)}`);
    }
    const length = this.#header.readUInt32BE(4);
    if (length > this.#maxFrameBytes) {
      throw new BerthError("internal", `the engine's stream has a frame of ${length} bytes; ${this.#maxFrameBytes} is the most there may be`);
    }
    this.#channel = channel;
    this.#missing = length;
  }
}

export interface Frame {
  readonly channel: FrameChannel;
  readonly bytes: Uint8Array;
}

/**
 * Whole frames, for streams whose frames mean something by themselves: a log sends one entry in each. All that a chunk
 * completes come in one step, as a step for each would cost many times the work on a short line.
 */
export async function* wholeFrames(
  source: AsyncIterable<Uint8Array>,
  o: { readonly maxFrameBytes?: number | undefined } = {},
): AsyncGenerator<readonly Frame[]> {
  const decoder = new FrameDecoder(o);
  let parts: Uint8Array[] = [];
  for await (const chunk of source) {
    const frames: Frame[] = [];
    for (const { channel, bytes, last } of decoder.push(chunk)) {
      if (!last) {
        parts.push(bytes);
        continue;
      }
      frames.push({ channel, bytes: parts.length === 0 ? bytes : Buffer.concat([...parts, bytes]) });
      parts = [];
    }
    if (frames.length > 0) yield frames;
  }
  decoder.end();
}
