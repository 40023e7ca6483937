/**
 * The documents of an image archive, in both layouts at once: OCI (image-spec image-layout.md) and what `docker save`
 * writes, whose `manifest.json` points at the same blobs.
 */
import type { Descriptor } from "../spec/descriptor.ts";
import { mediaTypes } from "../spec/descriptor.ts";
import { type Digest, digestAlgorithm, digestHex } from "../spec/digest.ts";
import type { ImageManifest } from "../spec/manifest.ts";
import type { OciPlatform } from "../spec/platform.ts";
import { familiarName, parseReference } from "../spec/reference.ts";

/** An image in an archive. */
export interface ArchivedImage {
  readonly id: Digest;
  readonly platform: OciPlatform;
  readonly descriptor: Pick<Descriptor, "mediaType" | "digest" | "size">;
  readonly manifest: ImageManifest;
  /** Canonical references to be loaded under, sorted; none for an image saved by its id. */
  readonly names: readonly string[];
}

export const layoutFile = "oci-layout";
export const indexFile = "index.json";
export const dockerManifestFile = "manifest.json";

/** The key containerd and docker name an image by. */
export const imageNameAnnotation = "io.containerd.image.name";
export const refNameAnnotation = "org.opencontainers.image.ref.name";

export function blobName(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}

/** Name and text of the documents. They depend on nothing but the images. */
export function archiveDocuments(images: readonly ArchivedImage[]): readonly { readonly name: string; readonly text: string }[] {
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: images.flatMap(indexEntries) };
  return [
    { name: layoutFile, text: JSON.stringify({ imageLayoutVersion: "1.0.0" }) },
    { name: indexFile, text: JSON.stringify(index) },
    { name: dockerManifestFile, text: JSON.stringify(images.map(dockerEntry)) },
  ];
}

function indexEntries({ descriptor, platform, names }: ArchivedImage): object[] {
  const { mediaType, digest, size } = descriptor;
  const { os, architecture, variant } = platform;
  const entry = { mediaType, digest, size, platform: { architecture, os, variant } };
  if (names.length === 0) return [entry];
  return names.map((name) => ({ ...entry, annotations: { [imageNameAnnotation]: name, [refNameAnnotation]: parseReference(name).tag } }));
}

function dockerEntry({ id, manifest, names }: ArchivedImage): object {
  return {
    Config: blobName(id),
    RepoTags: names.length === 0 ? null : names.map(familiarName),
    Layers: manifest.layers.map((layer) => blobName(layer.digest)),
  };
}
