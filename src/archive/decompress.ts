import type { Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { malformed } from "./tar-header.ts";
import { isZstd, zstdFrames } from "./zstd-frames.ts";

/** The defaults of 16 KiB halve the speed. */
const chunkSize = 256 * 1024;
/** Lets the pool decompress the next chunk while this thread works on the one before. */
const readableHighWaterMark = 2 * chunkSize;

export type Compression = "gzip" | "zstd" | "bzip2" | "xz";

/** By the first bytes of the data; at least six of them. */
export function compressionOf(start: Buffer): Compression | undefined {
  if (start[0] === 0x1f && start[1] === 0x8b) return "gzip";
  if (isZstd(start)) return "zstd";
  if (start.toString("latin1", 0, 3) === "BZh" && start.toString("latin1", 4, 10) === "1AY&SY") return "bzip2";
  return start.toString("latin1", 0, 6) === "\xfd7zXZ\0" ? "xz" : undefined;
}

/**
 * Decompresses gzip and zstd, told apart by their first bytes and not by the media type, and passes anything else on.
 * Input chunks may be used again by their owner once the next one was asked for. Throws `pull_failed` for broken data.
 */
export async function* decompressed(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    const first = await iterator.next();
    if (first.done === true) return;
    const whole = startingWith(first.value, iterator);
    const options: object = { chunkSize, readableHighWaterMark };
    const compression = compressionOf(first.value);
    if (compression === "gzip") yield* through(createGunzip(options), whole);
    else if (compression === "zstd") yield* through(createZstdDecompress(options), zstdFrames(whole));
    else if (compression === undefined) yield* whole;
    else throw malformed(`a layer compressed with ${compression} is not supported`);
  } finally {
    await iterator.return?.();
  }
}

/** The first piece again, then the rest. */
export async function* startingWith(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer, void, void> {
  for (let next: IteratorResult<Buffer> = { value: first, done: false }; next.done !== true; next = await rest.next()) yield next.value;
}

/** Sends the data through a decoder, as far as it is asked for. */
export async function* through(decoder: Transform, source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  const feeding = feed(decoder, source);
  feeding.catch((error: Error) => decoder.destroy(error));
  try {
    for await (const chunk of decoder) {
      yield chunk;
      freeNow(chunk);
    }
  } catch (error) {
    // zlib's own errors have codes such as Z_DATA_ERROR; others come from the source.
    if (error instanceof Error && "code" in error && /^(Z_|ZSTD_|ERR_ZSTD)/.test(String(error.code))) throw malformed(`broken compression: ${error.message}`);
    throw error;
  } finally {
    decoder.destroy();
    await feeding.catch(() => {});
  }
}

/** Each chunk is handed over only when the one before it was used up, which lets the source keep a single buffer. */
async function feed(decoder: Transform, source: AsyncIterable<Buffer>): Promise<void> {
  // A decoder that is destroyed while its output waits to be read never calls back.
  let onClosed = (_error: Error): void => {};
  decoder.once("close", () => onClosed(new Error("the decompression ended early")));
  for await (const chunk of source) {
    await new Promise<void>((resolve, reject) => {
      onClosed = reject;
      if (decoder.destroyed) reject(new Error("the decompression ended early"));
      else decoder.write(chunk, (error) => (error ? reject(error) : resolve()));
    });
  }
  decoder.end();
}

/**
 * Gives the memory of a used-up output buffer back without waiting for the garbage collector, which lets tens of
 * megabytes of them gather per thread. zlib cuts its chunks from one buffer after the other; the chunk that reaches the
 * end of a buffer is its last.
 */
function freeNow(chunk: Buffer): void {
  const { buffer } = chunk;
  if (buffer instanceof ArrayBuffer && chunk.byteOffset + chunk.length === buffer.byteLength && buffer.byteLength === chunkSize) buffer.transfer(0);
}
