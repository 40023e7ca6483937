import { digestOf } from "../content/ingest.ts";
import type { ContentStore } from "../content/content-store.ts";
import { BerthError, DigestMismatchError } from "../errors.ts";
import type { RegistryCallOptions, RegistryClient } from "../registry/types.ts";
import type { Descriptor } from "../spec/descriptor.ts";
import type { Digest } from "../spec/digest.ts";
import { type ImageConfig, parseImageConfig } from "../spec/image-config.ts";
import { choosePlatform, type ImageManifest, parseManifest } from "../spec/manifest.ts";
import { hostPlatform, type OciPlatform, platformMatches, platformToString } from "../spec/platform.ts";
import { canonicalReference, type Reference } from "../spec/reference.ts";
import type { ContentLease } from "./content-leases.ts";
import type { Layer } from "./layer-unpacking.ts";
import { chainIds } from "./snapshot-store.ts";

/** No honest image config is larger. */
const maxConfigBytes = 8 * 1024 * 1024;

/** What a reference means now, for one platform. */
export interface ResolvedImage {
  readonly manifestDigest: Digest;
  readonly configDescriptor: Descriptor;
  readonly configBytes: Uint8Array;
  readonly config: ImageConfig;
  /** Base first. */
  readonly layers: readonly Layer[];
}

export interface Source {
  readonly registry: RegistryClient;
  readonly content: ContentStore;
  readonly reference: Reference;
  readonly call: RegistryCallOptions;
  readonly lease: ContentLease;
}

/**
 * Follows `root` (what the reference resolved to) to manifest and config, and stores those documents. `platform` is what
 * the caller asked for; without it the host's is chosen, and an image that exists for one platform only is taken as it is.
 */
export async function resolveImage(source: Source, root: Descriptor, platform: OciPlatform | undefined): Promise<ResolvedImage> {
  const { descriptor, manifest } = await imageManifest(source, root, platform);
  const configBytes = await configBlob(source, manifest.config);
  const config = parseImageConfig(configBytes);
  checkPlatform(config, platform, canonicalReference(source.reference));
  return { manifestDigest: descriptor.digest, configDescriptor: manifest.config, configBytes, config, layers: layersOf(manifest, config) };
}

async function imageManifest(
  source: Source,
  root: Descriptor,
  platform: OciPlatform | undefined,
): Promise<{ descriptor: Descriptor; manifest: ImageManifest }> {
  const first = parseManifest(await document(source, root), root.mediaType);
  if (first.kind === "manifest") return { descriptor: root, manifest: first };
  const descriptor = choosePlatform(first, platform ?? hostPlatform(), canonicalReference(source.reference));
  const second = parseManifest(await document(source, descriptor), descriptor.mediaType);
  if (second.kind !== "manifest") throw new BerthError("pull_failed", "an index inside an index holds no image");
  return { descriptor, manifest: second };
}

async function document(source: Source, descriptor: Descriptor): Promise<Uint8Array> {
  await source.lease.add([descriptor.digest]);
  if (source.content.has(descriptor.digest)) return source.content.read(descriptor.digest);
  const { bytes } = await source.registry.manifest(source.reference, descriptor, source.call);
  await source.content.put({ digest: descriptor.digest, size: bytes.length }, bytes);
  return bytes;
}

async function configBlob(source: Source, descriptor: Descriptor): Promise<Uint8Array> {
  await source.lease.add([descriptor.digest]);
  if (source.content.has(descriptor.digest)) return source.content.read(descriptor.digest);
  if (descriptor.size > maxConfigBytes) throw new BerthError("pull_failed", `an image config of ${descriptor.size} bytes is too large`);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of source.registry.blob(source.reference, descriptor, source.call)) {
    length += chunk.length;
    if (length > descriptor.size) break;
    chunks.push(chunk);
  }
  if (length !== descriptor.size) {
    throw new DigestMismatchError("size of the image config", {
      expected: `${descriptor.size} bytes`,
      actual: length < descriptor.size ? `${length}` : "more",
    });
  }
  const bytes = Buffer.concat(chunks);
  const actual = digestOf(descriptor.digest, bytes);
  if (actual !== descriptor.digest) throw new DigestMismatchError("image config", { expected: descriptor.digest, actual });
  await source.content.put(descriptor, bytes);
  return bytes;
}

function checkPlatform(config: ImageConfig, platform: OciPlatform | undefined, image: string): void {
  const isWanted = platform === undefined ? config.os === hostPlatform().os : platformMatches(platform, config);
  if (isWanted) return;
  const wanted = platformToString(platform ?? hostPlatform());
  throw new BerthError("pull_failed", `no matching manifest for ${wanted} in ${image}; it is made for ${platformToString(config)}`);
}

/** Throws `pull_failed` when manifest and config do not agree. */
export function layersOf(manifest: ImageManifest, config: ImageConfig): Layer[] {
  const { diffIds } = config.rootfs;
  if (manifest.layers.length !== diffIds.length) {
    throw new BerthError("pull_failed", `the manifest has ${manifest.layers.length} layers, but the image config names ${diffIds.length}`);
  }
  const chain = chainIds(diffIds);
  const layers: Layer[] = [];
  for (const [index, blob] of manifest.layers.entries()) {
    const [chainId, diffId] = [chain[index], diffIds[index]];
    if (chainId !== undefined && diffId !== undefined) layers.push({ chainId, diffId, blob, parent: chain[index - 1] });
  }
  return layers;
}
