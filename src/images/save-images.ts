/** Method 33: images as one tar that Docker, Podman, skopeo and {@link loadImages} read. Equal images give equal bytes. */
import { open } from "node:fs/promises";
import { endOfTar, tarHeader, tarPadding } from "../archive/tar-writer.ts";
import { BerthError } from "../errors.ts";
import { type Digest, sha256 } from "../spec/digest.ts";
import { canonicalReference, parseReference } from "../spec/reference.ts";
import { type ArchivedImage, archiveDocuments, blobName } from "./archive-layout.ts";
import type { Image } from "./image-records.ts";
import type { StoreParts } from "./store-parts.ts";
import { completeManifest } from "./stored-layers.ts";

const readBytes = 512 * 1024;

/** An image, and the names of it that were asked for. */
export interface SavedImage {
  readonly image: Image;
  readonly names: readonly string[];
}

/** What the names mean, each image once, in an order of its own. Throws what `find` throws. */
export function imagesToSave(names: readonly string[], find: (name: string) => Image): SavedImage[] {
  const wanted = new Map<Digest, { readonly image: Image; readonly names: Set<string> }>();
  for (const name of names) {
    const image = find(name);
    const entry = wanted.get(image.id) ?? { image, names: new Set<string>() };
    wanted.set(image.id, entry);
    const tag = /^(?:sha256:)?[0-9a-f]{64}$/.test(name) ? undefined : canonicalReference(parseReference(name));
    if (tag !== undefined && image.names.includes(tag)) entry.names.add(tag);
  }
  return [...wanted.values()].map((entry) => ({ image: entry.image, names: [...entry.names].sort() })).sort((a, b) => (a.image.id < b.image.id ? -1 : 1));
}

/** What is saved stays in the store until the stream is finished or left. */
export async function* saveImages(parts: StoreParts, saved: readonly SavedImage[], stop: AbortSignal): AsyncGenerator<Buffer, void, void> {
  using lease = await parts.leases.begin();
  const images: (ArchivedImage & { readonly bytes: Uint8Array })[] = [];
  for (const { image, names } of saved) {
    const { manifest, bytes, mediaType } = await completeManifest(parts, image, lease);
    images.push({ id: image.id, platform: image.config, descriptor: { mediaType, digest: sha256(bytes), size: bytes.length }, manifest, names, bytes });
  }
  const documents = new Map(images.map((one) => [one.descriptor.digest, one.bytes]));
  const blobs = new Set(images.flatMap((one) => [one.id, ...one.manifest.layers.map((layer) => layer.digest)]));
  const sizes = new Map([...blobs].map((digest) => [digest, parts.content.size(digest)]));
  parts.records.atomically(() => {
    for (const { image } of saved) parts.records.tell("save", image);
  });
  for (const { name, text } of archiveDocuments(images)) yield fileMember(name, Buffer.from(text));
  for (const name of ["blobs/", "blobs/sha256/"]) yield tarHeader({ type: "directory", name, mode: 0o755, ...plain });
  for (const [digest, bytes] of documents) yield fileMember(blobName(digest), bytes);
  for (const [digest, size] of sizes) {
    yield tarHeader({ type: "file", name: blobName(digest), size, mode: 0o644, ...plain });
    yield* blobBytes(parts.content.path(digest), digest, size, stop);
    if (tarPadding(size) > 0) yield Buffer.alloc(tarPadding(size));
  }
  yield endOfTar;
}

/** 1970, root: nothing of this machine. */
const plain = { uid: 0, gid: 0, mtimeNs: 0n };

function fileMember(name: string, data: Uint8Array): Buffer {
  const header = tarHeader({ type: "file", name, size: data.length, mode: 0o644, ...plain });
  return Buffer.concat([header, data, Buffer.alloc(tarPadding(data.length))]);
}

async function* blobBytes(path: string, digest: Digest, size: number, stop: AbortSignal): AsyncGenerator<Buffer, void, void> {
  const file = await open(path, "r");
  try {
    for (let at = 0; at < size; ) {
      stop.throwIfAborted();
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafeSlow(Math.min(readBytes, size - at)), 0, undefined, at);
      if (bytesRead === 0) throw new BerthError("internal", `the stored blob ${digest} is shorter than it was; remove the image and pull it again`);
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
