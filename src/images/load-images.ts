/** Method 34: images out of an archive, in one pass over it. Nothing of any is visible before all are verified and on disk. */
import { closeSync, fstatSync, openSync } from "node:fs";
import { byteChunks, plainArchive } from "../archive/archive-source.ts";
import type { SpooledBlob } from "../content/spool.ts";
import { BerthError, DigestMismatchError } from "../errors.ts";
import { mediaTypes } from "../spec/descriptor.ts";
import { type Digest, digestHex } from "../spec/digest.ts";
import { ArchiveContents, type LayerSource } from "./archive-contents.ts";
import { planImages, type PlannedImage } from "./archive-plan.ts";
import type { ContentLease } from "./content-leases.ts";
import { manifestDocument } from "./manifest-document.ts";
import { GrowthNotice } from "./growing-file.ts";
import type { NewImage } from "./image-records.ts";
import { archiveError } from "./import-image.ts";
import { layerDescriptor } from "./layer-intake.ts";
import { type FillLayer, type PlacedLayer, placeLayers, publishImages, spoolBytes } from "./publish-images.ts";
import { chainIds, type PendingSnapshot } from "./snapshot-store.ts";
import { diffIdOf, storedLayers } from "./stored-layers.ts";
import type { StoreParts } from "./store-parts.ts";
import type { Unpacked } from "./unpack.ts";

export interface LoadStatus {
  /** Short diffID of a layer. */
  readonly id?: string | undefined;
  readonly status: string;
}

export interface LoadOptions {
  readonly signal: AbortSignal;
  readonly onStatus: (status: LoadStatus) => void;
}

/** Answers the references that were loaded: canonical names, or the id of an image without any. Throws `invalid_spec` for a bad archive. */
export async function loadImages(parts: StoreParts, tar: Uint8Array | AsyncIterable<Uint8Array>, o: LoadOptions): Promise<string[]> {
  o.signal.throwIfAborted();
  using lease = await parts.leases.begin();
  using _workers = parts.pool.hold();
  try {
    await using contents = new ArchiveContents(parts, lease);
    for await (const chunk of plainArchive(byteChunks(tar))) {
      o.signal.throwIfAborted();
      await contents.write(chunk);
    }
    contents.end();
    return await keepImages(parts, planImages(contents), lease, o);
  } catch (error) {
    if (o.signal.aborted) throw o.signal.reason;
    throw archiveError(error, "load", parts.root);
  }
}

async function keepImages(parts: StoreParts, planned: readonly PlannedImage[], lease: ContentLease, o: LoadOptions): Promise<string[]> {
  const placed = new Map<Digest, PlacedLayer>();
  const blobs = new Map<Digest, SpooledBlob>();
  const own: SpooledBlob[] = [];
  const spool = async (bytes: Uint8Array): Promise<Digest> => {
    const blob = await spoolBytes(parts, bytes);
    own.push(blob);
    if (!blobs.has(blob.digest)) blobs.set(blob.digest, blob);
    return blob.digest;
  };
  try {
    const images: Omit<NewImage, "snapshots">[] = [];
    for (const image of planned) {
      const verified = await verifyLayers(parts, image);
      for (const { blob } of verified) if (blob !== undefined) blobs.set(blob.digest, blob);
      const { diffIds } = image.config.rootfs;
      await spool(image.configBytes);
      const document =
        image.manifest?.bytes ??
        Buffer.from(
          JSON.stringify(
            manifestDocument(
              image.id,
              image.configBytes.length,
              verified.map((layer) => layer.descriptor),
            ),
          ),
        );
      const manifestDigest = await spool(document);
      const needs = [image.id, manifestDigest, ...verified.map((layer) => layer.descriptor.digest)];
      await lease.add([...needs, ...chainIds(diffIds)]);
      await placeLayers(parts, diffIds, fill(parts, verified, o), placed, o.signal);
      const names = [...image.names].sort();
      const events = [{ action: "load" }];
      images.push({
        id: image.id,
        manifestDigest,
        digest: manifestDigest,
        config: image.configBytes,
        chainIds: chainIds(diffIds),
        blobs: needs,
        names,
        events,
      });
    }
    const snapshots = [...placed.values()].map((layer) => layer.snapshot);
    await publishImages(parts, { images: images.map((image) => ({ ...image, snapshots })), placed: [...placed.values()], blobs: [...blobs.values()] });
    return images.flatMap((image) => (image.names.length > 0 ? image.names : [image.id]));
  } finally {
    for (const blob of own) await blob.spool.close();
    for (const { pending } of placed.values()) await pending.close();
  }
}

interface VerifiedLayer {
  readonly source: LayerSource;
  readonly descriptor: ReturnType<typeof layerDescriptor>;
  /** What is to become a blob; absent where it is one. */
  readonly blob: SpooledBlob | undefined;
}

/** Every layer is what the config says it is, and what the manifest says. */
async function verifyLayers(parts: StoreParts, image: PlannedImage): Promise<VerifiedLayer[]> {
  const verified: VerifiedLayer[] = [];
  for (const [index, source] of image.layers.entries()) {
    const [promised, expected] = [image.manifest?.layers[index], image.config.rootfs.diffIds[index]];
    if (expected === undefined) throw new BerthError("internal", `image ${image.id} was planned with a layer too many`);
    const layer = await (source.kind === "taken" ? verifyTaken(source, expected) : verifyStored(parts, source, expected));
    if (promised !== undefined && (promised.digest !== layer.descriptor.digest || promised.size !== layer.descriptor.size))
      throw new DigestMismatchError(`layer ${index + 1} of image ${image.id}`, { expected: promised.digest, actual: layer.descriptor.digest });
    verified.push(promised === undefined ? layer : { ...layer, descriptor: promised });
  }
  return verified;
}

async function verifyTaken(source: LayerSource & { readonly kind: "taken" }, expected: Digest): Promise<VerifiedLayer> {
  const { unpacked, stored, spool } = await source.intake.taken();
  if (unpacked.diffId !== expected) throw new DigestMismatchError("content of a layer", { expected, actual: unpacked.diffId });
  return { source, descriptor: layerDescriptor(stored), blob: { spool, digest: stored.digest } };
}

/** A blob that was in the store before: its digest is right, but whether it is this layer somebody has to vouch for. */
async function verifyStored(parts: StoreParts, source: LayerSource & { readonly kind: "stored" }, expected: Digest): Promise<VerifiedLayer> {
  const known = (await storedLayers(parts)).get(expected)?.find((layer) => layer.digest === source.digest);
  const actual = known === undefined && source.digest !== expected ? await diffIdOf(parts, source.digest) : expected;
  if (actual !== expected) throw new DigestMismatchError("content of a layer", { expected, actual });
  const descriptor = known ?? { mediaType: mediaTypes.ociLayer, digest: source.digest, size: source.size };
  return { source, descriptor, blob: undefined };
}

function fill(parts: StoreParts, layers: readonly VerifiedLayer[], o: LoadOptions): FillLayer {
  return async (pending, diffId, index) => {
    const layer = layers[index];
    if (layer === undefined) throw new BerthError("internal", `nobody brought layer ${diffId}`);
    o.onStatus({ id: digestHex(diffId).slice(0, 12), status: "Loading layer" });
    const { source } = layer;
    if (source.kind === "stored") return (await unpackFile(parts, parts.content.path(source.digest), pending)).sizeBytes;
    const taken = await source.intake.taken();
    // The same layer may lie in an image more than once.
    if (taken.pending.isEmptied) return (await unpackFile(parts, taken.spool.path, pending)).sizeBytes;
    await pending.adopt(taken.pending);
    return taken.unpacked.sizeBytes;
  };
}

async function unpackFile(parts: StoreParts, path: string, pending: PendingSnapshot): Promise<Unpacked> {
  const fd = openSync(path, "r");
  const growth = new GrowthNotice();
  growth.publish(fstatSync(fd).size);
  growth.finish();
  try {
    const unpacked = await parts.pool.run({ kind: "unpack", fd, growth: growth.shared, directory: pending.directory });
    if (unpacked === undefined) throw new BerthError("internal", "the unpack worker gave no answer");
    return unpacked;
  } finally {
    closeSync(fd);
  }
}
