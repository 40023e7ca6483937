import { createHash } from "node:crypto";
import { BerthError, isBerthError, messageOf } from "../errors.ts";
import { errnoCode } from "../internal/libc.ts";
import type { Digest } from "../spec/digest.ts";
import { toDisplay } from "../archive/byte-string.ts";
import { compressionOf, type Compression, decompressed } from "../archive/decompress.ts";
import { isDiskFull } from "../internal/disk-full.ts";
import { LayerWriter } from "./layer-writer.ts";
import { TarReader } from "../archive/tar-reader.ts";

export interface Unpacked {
  /** Digest of the uncompressed tar. */
  readonly diffId: Digest;
  /** Bytes of all files. */
  readonly sizeBytes: number;
  readonly entries: number;
  /** The bytes as they came; only when it was asked for. */
  readonly stored?: { readonly digest: Digest; readonly size: number; readonly compression: Compression | undefined } | undefined;
}

/**
 * Unpacks a layer's stored bytes into the root directory of the calling thread, in one pass and with bounded memory.
 * Throws `pull_failed` for everything that is wrong with the layer, and for a full disk.
 */
export async function unpack(source: AsyncIterable<Buffer>, o: { readonly describeStored?: boolean } = {}): Promise<Unpacked> {
  const hash = createHash("sha256");
  const stored = o.describeStored === true ? new StoredBytes(source) : undefined;
  const writer = new LayerWriter();
  const reader = new TarReader(writer);
  try {
    for await (const chunk of decompressed(stored ?? source)) {
      hash.update(chunk);
      reader.write(chunk);
    }
    reader.finish();
    writer.finish();
  } catch (error) {
    throw unpackError(error, writer.current);
  } finally {
    writer.abandon();
  }
  const diffId = `sha256:${hash.digest("hex")}` as Digest;
  return { diffId, sizeBytes: writer.sizeBytes, entries: writer.entries, stored: stored?.describe(diffId) };
}

/** Passes bytes on and hashes them, where that says more than the hash of what they decompress to. */
class StoredBytes implements AsyncIterable<Buffer> {
  readonly #source: AsyncIterable<Buffer>;
  readonly #hash = createHash("sha256");
  #compression: Compression | undefined;
  #size = 0;

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
    for await (const chunk of this.#source) {
      if (this.#size === 0) this.#compression = compressionOf(chunk);
      if (this.#compression !== undefined) this.#hash.update(chunk);
      this.#size += chunk.length;
      yield chunk;
    }
  }

  describe(diffId: Digest): NonNullable<Unpacked["stored"]> {
    const digest = this.#compression === undefined ? diffId : (`sha256:${this.#hash.digest("hex")}` as Digest);
    return { digest, size: this.#size, compression: this.#compression };
  }
}

function unpackError(error: unknown, entry: string): unknown {
  const code = errnoCode(error);
  if (isBerthError(error) || code === undefined) return error;
  const where = entry === "" ? "" : ` at entry ${JSON.stringify(toDisplay(entry))}`;
  if (isDiskFull(error))
    return new BerthError("pull_failed", `no space left on the disk while unpacking${where}; free some space and pull again`, { cause: error });
  return new BerthError("pull_failed", `cannot unpack the layer${where}: ${messageOf(error)}`, { cause: error });
}
