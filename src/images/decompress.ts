import type { Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { malformed } from "./tar-header.ts";

/** The defaults of 16 KiB halve the speed. */
const chunkSize = 256 * 1024;
/** Lets the pool decompress the next chunk while this thread works on the one before. */
const readableHighWaterMark = 2 * chunkSize;

/**
 * Decompresses gzip and zstd, told apart by their first bytes and not by the media type, and passes anything else on.
 * Input chunks may be used again by their owner once the next one was asked for. Throws `pull_failed` for broken data.
 */
export async function* decompressed(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    const first = await iterator.next();
    if (first.done === true) return;
    const decoder = decoderFor(first.value);
    if (decoder !== undefined) yield* through(decoder, first.value, iterator);
    else for (let next: IteratorResult<Buffer> = first; next.done !== true; next = await iterator.next()) yield next.value;
  } finally {
    await iterator.return?.();
  }
}

function decoderFor(start: Buffer): Transform | undefined {
  if (start[0] === 0x1f && start[1] === 0x8b) return createGunzip({ chunkSize, readableHighWaterMark } as object);
  const magic = start.length >= 4 ? start.readUInt32LE(0) : 0;
  // Zstandard frames, and the skippable ones some tools put first.
  if (magic === 0xfd2fb528 || (magic & 0xfffffff0) >>> 0 === 0x184d2a50) return createZstdDecompress({ chunkSize, readableHighWaterMark } as object);
  return undefined;
}

async function* through(decoder: Transform, first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer, void, void> {
  const feeding = feed(decoder, first, rest);
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
async function feed(decoder: Transform, first: Buffer, rest: AsyncIterator<Buffer>): Promise<void> {
  for (let next: IteratorResult<Buffer> = { value: first, done: false }; next.done !== true; next = await rest.next()) {
    const { value } = next;
    await new Promise<void>((resolve, reject) => decoder.write(value, (error) => (error ? reject(error) : resolve())));
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
