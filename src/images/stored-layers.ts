/** Which blobs of the store hold which layer. A layer may be stored under several digests: plain, or compressed by anybody. */
import { createReadStream } from "node:fs";
import { createHash } from "node:crypto";
import { decompressed } from "../archive/decompress.ts";
import { BerthError } from "../errors.ts";
import type { Descriptor } from "../spec/descriptor.ts";
import type { Digest } from "../spec/digest.ts";
import { type ImageManifest, parseManifest } from "../spec/manifest.ts";
import type { ContentLease } from "./content-leases.ts";
import { manifestDocument } from "./manifest-document.ts";
import type { Image } from "./image-records.ts";
import type { StoreParts } from "./store-parts.ts";

/** By diffID, as the manifests of all images have it, as far as the blobs are there. */
export async function storedLayers(parts: StoreParts): Promise<ReadonlyMap<Digest, readonly Descriptor[]>> {
  const known = new Map<Digest, Descriptor[]>();
  for (const image of parts.records.list()) {
    const manifest = parts.content.has(image.manifestDigest) ? await readImageManifest(parts, image) : undefined;
    for (const [index, layer] of (manifest?.manifest.layers ?? []).entries()) {
      const diffId = image.config.rootfs.diffIds[index];
      if (diffId !== undefined && parts.content.has(layer.digest)) known.set(diffId, [...(known.get(diffId) ?? []), layer]);
    }
  }
  return known;
}

export async function readImageManifest(parts: StoreParts, image: Image): Promise<{ readonly manifest: ImageManifest; readonly bytes: Uint8Array }> {
  const bytes = await parts.content.read(image.manifestDigest);
  const manifest = parseManifest(bytes, "");
  if (manifest.kind !== "manifest") throw new BerthError("internal", `the manifest of image ${image.id} is an index`);
  return { manifest, bytes };
}

/** A manifest whose layers are all in the store, leased. */
export interface CompleteManifest {
  readonly manifest: ImageManifest;
  readonly bytes: Uint8Array;
  readonly mediaType: string;
}

/**
 * The image's own manifest, if all its layers are stored as it says; else one that says how they are: a layer that was
 * there when the image was pulled was not downloaded again.
 */
export async function completeManifest(parts: StoreParts, image: Image, lease: ContentLease): Promise<CompleteManifest> {
  const own = await readImageManifest(parts, image);
  await lease.add([image.id, image.manifestDigest, ...own.manifest.layers.map((layer) => layer.digest)]);
  const isComplete = own.manifest.layers.every((layer) => parts.content.has(layer.digest));
  if (isComplete) return { ...own, mediaType: own.manifest.mediaType };
  const known = await storedLayers(parts);
  const layers = image.config.rootfs.diffIds.map((diffId, index) => {
    const stored = own.manifest.layers[index];
    return stored !== undefined && parts.content.has(stored.digest) ? stored : known.get(diffId)?.[0];
  });
  const found = layers.filter((layer) => layer !== undefined);
  await lease.add(found.map((layer) => layer.digest));
  const lost = layers.findIndex((layer) => layer === undefined || !parts.content.has(layer.digest));
  if (lost >= 0) throw new BerthError("internal", `layer ${lost + 1} of image ${image.id} is not stored as a blob; pull the image again`);
  const bytes = Buffer.from(JSON.stringify(manifestDocument(image.id, parts.content.size(image.id), found)));
  const manifest = parseManifest(bytes, "");
  if (manifest.kind !== "manifest") throw new BerthError("internal", "a manifest that was just written is none");
  return { manifest, bytes, mediaType: manifest.mediaType };
}

/** Blobs that stand in for those layers of an image that are not stored as its manifest says. */
export async function substitutes(
  parts: StoreParts,
  layers: readonly { readonly blob: Descriptor; readonly diffId: Digest }[],
  lease: ContentLease,
): Promise<Digest[]> {
  const missing = layers.filter((layer) => !parts.content.has(layer.blob.digest));
  if (missing.length === 0) return [];
  const known = await storedLayers(parts);
  const found = missing.flatMap((layer) => known.get(layer.diffId)?.slice(0, 1) ?? []).map((layer) => layer.digest);
  await lease.add(found);
  return found;
}

/** Of a blob nobody vouches for: reads and decompresses all of it. */
export async function diffIdOf(parts: StoreParts, digest: Digest): Promise<Digest> {
  const hash = createHash("sha256");
  const file = createReadStream(parts.content.path(digest), { highWaterMark: 256 * 1024 });
  for await (const chunk of decompressed(file)) hash.update(chunk);
  return `sha256:${hash.digest("hex")}` as Digest;
}
