/**
 * Layers that come as bytes nobody has named yet: of an archive, an import, a commit. The bytes go to a spool, and a worker
 * unpacks them from there while they arrive; only afterwards is it known what they are and where they belong.
 */
import { closeSync, openSync } from "node:fs";
import type { Spool } from "../content/spool.ts";
import { BerthError } from "../errors.ts";
import { type Descriptor, mediaTypes } from "../spec/descriptor.ts";
import { GrowthNotice } from "./growing-file.ts";
import type { PendingSnapshot } from "./snapshot-store.ts";
import type { StoreParts } from "./store-parts.ts";
import type { Unpacked } from "./unpack.ts";

/** From here on a copy costs more than a write of its own. */
const largeBytes = 128 * 1024;

type Stored = NonNullable<Unpacked["stored"]>;

/** A layer that is complete on disk, spooled and unpacked, under no name yet. */
export interface TakenLayer {
  readonly spool: Spool;
  readonly pending: PendingSnapshot;
  readonly unpacked: Unpacked;
  readonly stored: Stored;
}

/** A layer that is arriving. Give it all bytes, then {@link finish}; {@link close} it in any case. */
export class LayerIntake implements AsyncDisposable {
  readonly #growth = new GrowthNotice();
  readonly #spool: Spool;
  readonly #pending: PendingSnapshot;
  readonly #unpacking: Promise<Unpacked>;

  private constructor(spool: Spool, pending: PendingSnapshot, parts: StoreParts) {
    this.#spool = spool;
    this.#pending = pending;
    this.#unpacking = unpackSpool(parts, spool.path, this.#growth, pending.directory);
    this.#unpacking.catch(() => {});
  }

  static async begin(parts: StoreParts): Promise<LayerIntake> {
    const spool = await parts.content.spool();
    try {
      return new LayerIntake(spool, await parts.snapshots.beginUnnamed(), parts);
    } catch (error) {
      await spool.close();
      throw error;
    }
  }

  get written(): number {
    return this.#spool.written;
  }

  /** The bytes must stay as they are until the next {@link flush}. Answers whether it is time for one. */
  add(bytes: Uint8Array): boolean {
    return this.#spool.add(bytes);
  }

  async flush(): Promise<void> {
    await this.#spool.flush();
    this.#growth.publish(this.#spool.written);
  }

  /** The bytes may change afterwards. */
  async write(bytes: Uint8Array): Promise<void> {
    const isLarge = bytes.length >= largeBytes;
    const isTime = this.#spool.add(isLarge ? bytes : Uint8Array.from(bytes));
    if (isTime || isLarge) await this.flush();
  }

  /** All bytes were given. */
  async end(): Promise<void> {
    await this.flush();
    this.#growth.finish();
  }

  /** Throws `pull_failed` for what is no layer. */
  async taken(): Promise<TakenLayer> {
    const unpacked = await this.#unpacking;
    if (unpacked.stored === undefined) throw new BerthError("internal", "the unpack worker did not describe the layer");
    return { spool: this.#spool, pending: this.#pending, unpacked, stored: unpacked.stored };
  }

  async close(): Promise<void> {
    this.#growth.stop();
    await this.#unpacking.catch(() => {});
    await this.#spool.close();
    await this.#pending.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

async function unpackSpool(parts: StoreParts, path: string, growth: GrowthNotice, directory: string): Promise<Unpacked> {
  const fd = openSync(path, "r");
  try {
    const unpacked = await parts.pool.run({ kind: "unpack", fd, growth: growth.shared, directory, describeStored: true });
    if (unpacked === undefined) throw new BerthError("internal", "the unpack worker gave no answer");
    return unpacked;
  } finally {
    closeSync(fd);
  }
}

/** How a manifest speaks of it. */
export function layerDescriptor(stored: Stored): Descriptor {
  const mediaType = { none: mediaTypes.ociLayer, gzip: mediaTypes.ociLayerGzip, zstd: mediaTypes.ociLayerZstd, bzip2: "", xz: "" }[
    stored.compression ?? "none"
  ];
  return { mediaType, digest: stored.digest, size: stored.size };
}
