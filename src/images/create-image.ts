/** An image made here: layers of another one, at most one layer more, and a config. What import and commit end in. */
import { malformed } from "../archive/tar-header.ts";
import { BerthError } from "../errors.ts";
import type { SpooledBlob } from "../content/spool.ts";
import { mediaTypes } from "../spec/descriptor.ts";
import type { Descriptor } from "../spec/descriptor.ts";
import type { Digest } from "../spec/digest.ts";
import { type ContainerConfig, containerConfigJson, type HistoryEntry } from "../spec/image-config.ts";
import type { OciPlatform } from "../spec/platform.ts";
import { canonicalReference, type Reference } from "../spec/reference.ts";
import type { ContentLease } from "./content-leases.ts";
import type { Image } from "./image-records.ts";
import { LayerIntake, layerDescriptor, type TakenLayer } from "./layer-intake.ts";
import { manifestDocument } from "./manifest-document.ts";
import { type PlacedLayer, placeLayers, publishImages, spoolBytes } from "./publish-images.ts";
import { chainIds } from "./snapshot-store.ts";
import type { StoreParts } from "./store-parts.ts";
import { completeManifest } from "./stored-layers.ts";

export interface CreateImageOptions {
  /** Its layers and its history come first. */
  readonly base?: Image | undefined;
  /** Tar of one more layer, plain, gzip or zstd; read to its end. */
  readonly layer?: AsyncIterable<Uint8Array> | undefined;
  readonly platform: OciPlatform;
  readonly config: ContainerConfig;
  /** The row this image adds; `created` and `emptyLayer` are filled in. */
  readonly history: Omit<HistoryEntry, "created" | "emptyLayer">;
  readonly author?: string | undefined;
  readonly comment?: string | undefined;
  /** Id of the container it was made from. */
  readonly container?: string | undefined;
  /** A tag that means it from now on; absent = untagged. */
  readonly name?: Reference | undefined;
  /** What is told of it beside its tag. */
  readonly event?: "import" | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Nothing of the image is visible before all of it is on disk. Throws `invalid_spec` for a layer that is none, and
 * what the stream throws.
 */
export async function createImage(parts: StoreParts, o: CreateImageOptions): Promise<Image> {
  const signal = o.signal ?? new AbortController().signal;
  signal.throwIfAborted();
  using lease = await parts.leases.begin();
  using _workers = parts.pool.hold();
  const base = o.base === undefined ? [] : await baseOf(parts, o.base, lease);
  const intake = o.layer === undefined ? undefined : await LayerIntake.begin(parts);
  const [placed, blobs] = [new Map<Digest, PlacedLayer>(), [] as SpooledBlob[]];
  try {
    const taken = intake && o.layer && (await takeAll(intake, o.layer, signal));
    const diffIds = [...(o.base?.config.rootfs.diffIds ?? []), ...(taken === undefined ? [] : [taken.unpacked.diffId])];
    const chain = chainIds(diffIds);
    const config = Buffer.from(JSON.stringify(configDocument(parts, o, diffIds)));
    const layers = [...base, ...(taken === undefined ? [] : [layerDescriptor(taken.stored)])];
    const configBlob = await spoolBytes(parts, config);
    blobs.push(configBlob);
    const manifestBlob = await spoolBytes(parts, Buffer.from(JSON.stringify(manifestDocument(configBlob.digest, config.length, layers))));
    blobs.push(manifestBlob);
    if (taken !== undefined) blobs.push({ spool: taken.spool, digest: taken.stored.digest });
    const needs = [configBlob.digest, manifestBlob.digest, ...layers.map((layer) => layer.digest)];
    await lease.add([...needs, ...chain]);
    await placeLayers(parts, diffIds, (pending) => adopt(pending, taken), placed, signal);
    const image = { id: configBlob.digest, manifestDigest: manifestBlob.digest, digest: manifestBlob.digest, config, chainIds: chain };
    const names = o.name === undefined ? [] : [canonicalReference(o.name)];
    const snapshots = [...placed.values()].map((layer) => layer.snapshot);
    const events = [...(o.event === undefined ? [] : [o.event]), ...names.map(() => "tag")].map((action) => ({ action, name: names[0] }));
    await publishImages(parts, { images: [{ ...image, snapshots, blobs: needs, names, events }], placed: [...placed.values()], blobs });
    const made = parts.records.get(configBlob.digest);
    if (made === undefined) throw new BerthError("internal", `image ${configBlob.digest} was removed while it was made`);
    return made;
  } finally {
    await intake?.close();
    for (const { spool } of blobs) await spool.close();
    for (const { pending } of placed.values()) await pending.close();
  }
}

async function takeAll(intake: LayerIntake, layer: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<TakenLayer> {
  for await (const chunk of layer) {
    signal.throwIfAborted();
    await intake.write(chunk);
  }
  await intake.end();
  const taken = await intake.taken();
  if (taken.stored.size === 0) throw malformed("it is empty");
  return taken;
}

async function adopt(pending: PlacedLayer["pending"], taken: TakenLayer | undefined): Promise<number> {
  if (taken === undefined) throw new BerthError("internal", "a layer of the base image is gone from the store; pull the image again");
  await pending.adopt(taken.pending);
  return taken.unpacked.sizeBytes;
}

/** The base's layers, in the words of OCI. */
async function baseOf(parts: StoreParts, image: Image, lease: ContentLease): Promise<readonly Descriptor[]> {
  await lease.add(chainIds(image.config.rootfs.diffIds));
  const { manifest } = await completeManifest(parts, image, lease);
  return manifest.layers.map((layer) => (layer.mediaType === mediaTypes.dockerLayerGzip ? { ...layer, mediaType: mediaTypes.ociLayerGzip } : layer));
}

function configDocument(parts: StoreParts, o: CreateImageOptions, diffIds: readonly Digest[]): object {
  const created = new Date().toISOString();
  const before: unknown = o.base === undefined ? {} : JSON.parse(parts.records.configText(o.base.id));
  const history = typeof before === "object" && before !== null && "history" in before && Array.isArray(before.history) ? before.history : [];
  const { createdBy, author, comment } = o.history;
  const row = { created, created_by: createdBy, author, comment, empty_layer: o.layer === undefined ? true : undefined };
  return {
    architecture: o.platform.architecture,
    os: o.platform.os,
    variant: o.platform.variant,
    "os.version": o.platform.osVersion,
    created,
    author: o.author,
    comment: o.comment,
    container: o.container,
    config: containerConfigJson(o.config),
    rootfs: { type: "layers", diff_ids: diffIds },
    history: [...history, row],
  };
}
