/** The end of everything that makes images out of bytes: data on disk, then the names of files, then the records. */
import { statSync } from "node:fs";
import type { SpooledBlob } from "../content/spool.ts";
import { type Digest, sha256 } from "../spec/digest.ts";
import type { NewImage, NewSnapshot } from "./image-records.ts";
import { chainIds, type PendingSnapshot } from "./snapshot-store.ts";
import type { StoreParts } from "./store-parts.ts";

/** One layer in its place: the files of `taken`, unless the place is filled. */
export interface PlacedLayer {
  readonly pending: PendingSnapshot;
  readonly snapshot: NewSnapshot;
}

/** Puts the files of a layer into its place, and answers how many bytes they are. */
export type FillLayer = (pending: PendingSnapshot, diffId: Digest, index: number) => Promise<number>;

/**
 * Claims the places of an image's layers and fills those that are empty, base first, which is the order of everybody who
 * claims several. What it adds to `placed` must be published, and closed in any case.
 */
export async function placeLayers(
  parts: StoreParts,
  diffIds: readonly Digest[],
  fill: FillLayer,
  placed: Map<Digest, PlacedLayer>,
  signal: AbortSignal,
): Promise<void> {
  const chain = chainIds(diffIds);
  for (const [index, diffId] of diffIds.entries()) {
    const chainId = chain[index];
    if (chainId === undefined || placed.has(chainId)) continue;
    const pending = await parts.snapshots.begin(chainId, signal);
    if (pending === undefined) continue;
    try {
      const sizeBytes = await fill(pending, diffId, index);
      placed.set(chainId, { pending, snapshot: { chainId, parent: chain[index - 1], diffId, sizeBytes } });
    } catch (error) {
      await pending.close();
      throw error;
    }
  }
}

/** Bytes that are all here, as a blob to be kept with the others. */
export async function spoolBytes(parts: StoreParts, bytes: Uint8Array): Promise<SpooledBlob> {
  const spool = await parts.content.spool();
  spool.add(bytes);
  return { spool, digest: sha256(bytes) };
}

/** Nothing is visible before this, and everything after it. */
export async function publishImages(
  parts: StoreParts,
  o: { readonly images: readonly NewImage[]; readonly placed: readonly PlacedLayer[]; readonly blobs: readonly SpooledBlob[] },
): Promise<void> {
  for (const { spool } of o.blobs) await spool.flush();
  await syncAll(parts);
  // Whoever finds blobs that no image came to need knows by this that they may go.
  parts.records.noteGarbage(o.blobs.map(({ digest }) => digest));
  await parts.content.keep(o.blobs);
  for (const { pending } of o.placed) pending.publish();
  if (o.placed.length > 0) parts.snapshots.syncNames();
  parts.records.add(...o.images);
  for (const { pending } of o.placed) pending.keep();
}

/** Blobs and layers are one file system, unless somebody mounted another one there. */
async function syncAll(parts: StoreParts): Promise<void> {
  const places = [parts.snapshots.root, `${parts.root}/content`];
  const devices = new Map(places.map((path) => [statSync(path).dev, path]));
  await Promise.all([...devices.values()].map((path) => parts.pool.run({ kind: "sync", path })));
}
