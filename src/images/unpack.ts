import { createHash } from "node:crypto";
import { BerthError, isBerthError, messageOf } from "../errors.ts";
import { errnoCode } from "../internal/libc.ts";
import type { Digest } from "../spec/digest.ts";
import { toDisplay } from "../archive/byte-string.ts";
import { decompressed } from "../archive/decompress.ts";
import { isDiskFull } from "../internal/disk-full.ts";
import { LayerWriter } from "./layer-writer.ts";
import { TarReader } from "../archive/tar-reader.ts";

export interface Unpacked {
  /** Digest of the uncompressed tar. */
  readonly diffId: Digest;
  /** Bytes of all files. */
  readonly sizeBytes: number;
  readonly entries: number;
}

/**
 * Unpacks a layer's stored bytes into the root directory of the calling thread, in one pass and with bounded memory.
 * Throws `pull_failed` for everything that is wrong with the layer, and for a full disk.
 */
export async function unpack(source: AsyncIterable<Buffer>): Promise<Unpacked> {
  const hash = createHash("sha256");
  const writer = new LayerWriter();
  const reader = new TarReader(writer);
  try {
    for await (const chunk of decompressed(source)) {
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
  return { diffId: `sha256:${hash.digest("hex")}` as Digest, sizeBytes: writer.sizeBytes, entries: writer.entries };
}

function unpackError(error: unknown, entry: string): unknown {
  const code = errnoCode(error);
  if (isBerthError(error) || code === undefined) return error;
  const where = entry === "" ? "" : ` at entry ${JSON.stringify(toDisplay(entry))}`;
  if (isDiskFull(error))
    return new BerthError("pull_failed", `no space left on the disk while unpacking${where}; free some space and pull again`, { cause: error });
  return new BerthError("pull_failed", `cannot unpack the layer${where}: ${messageOf(error)}`, { cause: error });
}
