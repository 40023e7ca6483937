/** An image to the registry its reference names (extras, `pushImage`): layers first, then config, then manifest. */
import { open } from "node:fs/promises";
import { BerthError, isBerthError, messageOf } from "../errors.ts";
import { RegistryUnreachableError } from "../registry/failure.ts";
import type { BlobOutcome, Credentials, RegistryPush } from "../registry/types.ts";
import type { Descriptor } from "../spec/descriptor.ts";
import { type Digest, sha256 } from "../spec/digest.ts";
import { type ImageManifest, parseManifest } from "../spec/manifest.ts";
import { canonicalReference, familiarName, type Reference, repositoryName } from "../spec/reference.ts";
import type { ContentLease } from "./content-leases.ts";
import type { Image } from "./image-records.ts";
import { Limiter } from "./limiter.ts";
import { imageStatus, layerStatus, type OnPullStatus, StatusBoard } from "./pull-progress.ts";
import type { StoreParts } from "./store-parts.ts";
import { completeManifest } from "./stored-layers.ts";

export interface PushRequest {
  /** With a tag. */
  readonly reference: Reference;
  readonly image: Image;
  /** What the local name resolves to: maybe an index. */
  readonly digest: Digest;
  readonly auth: Credentials | undefined;
  readonly say: OnPullStatus;
  readonly signal: AbortSignal;
}

const uploadsAtOnce = 5;
const readBytes = 512 * 1024;

/** Answers the digest the registry has for the tag now. */
export async function pushImage(parts: StoreParts, o: PushRequest): Promise<Digest> {
  const { reference, image, signal } = o;
  signal.throwIfAborted();
  using lease = await parts.leases.begin([image.id]);
  const repository = repositoryName(reference);
  try {
    o.say(imageStatus(`The push refers to repository [${familiarName(repository)}]`));
    const to = parts.registry.push(reference, { auth: o.auth, signal, mountFrom: mountSources(image, reference) });
    const index = await wholeIndex(parts, o.digest, lease);
    for (const child of index?.children ?? []) await pushManifest(parts, to, child, o);
    const top = index ?? { ...(await completeManifest(parts, image, lease)), diffIds: image.config.rootfs.diffIds };
    if ("manifest" in top) await pushLayers(parts, to, top.manifest, top.diffIds, o);
    const digest = sha256(top.bytes);
    await to.manifest(top.bytes, { mediaType: top.mediaType, digest, tag: reference.tag });
    o.say(imageStatus(`${reference.tag}: digest: ${digest} size: ${top.bytes.length}`));
    parts.records.atomically(() => {
      parts.records.addDigest(repository, digest, image.id);
      parts.records.tell("push", image, canonicalReference(reference));
    });
    return digest;
  } catch (error) {
    throw signal.aborted ? signal.reason : pushError(reference, error);
  }
}

interface Child {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly manifest: ImageManifest;
}

/** The index a name stands for, when every image of it is in the store. */
async function wholeIndex(
  parts: StoreParts,
  digest: Digest,
  lease: ContentLease,
): Promise<{ readonly bytes: Uint8Array; readonly mediaType: string; readonly children: readonly Child[] } | undefined> {
  await lease.add([digest]);
  if (!parts.content.has(digest)) return undefined;
  const bytes = await parts.content.read(digest);
  const index = parseManifest(bytes, "");
  if (index.kind !== "index") return undefined;
  const children: Child[] = [];
  for (const descriptor of index.manifests) {
    await lease.add([descriptor.digest]);
    if (!parts.content.has(descriptor.digest)) return undefined;
    const child = await parts.content.read(descriptor.digest);
    const manifest = parseManifest(child, descriptor.mediaType);
    if (manifest.kind !== "manifest") return undefined;
    const needs = [manifest.config.digest, ...manifest.layers.map((layer) => layer.digest)];
    await lease.add(needs);
    if (!needs.every((need) => parts.content.has(need))) return undefined;
    children.push({ descriptor, bytes: child, manifest });
  }
  return { bytes, mediaType: index.mediaType, children };
}

async function pushManifest(parts: StoreParts, to: RegistryPush, child: Child, o: PushRequest): Promise<void> {
  await pushLayers(
    parts,
    to,
    child.manifest,
    child.manifest.layers.map((layer) => layer.digest),
    o,
  );
  await to.manifest(child.bytes, { mediaType: child.descriptor.mediaType, digest: child.descriptor.digest });
}

/** Everything a manifest names. `ids` are what the layers are called in what is said. */
async function pushLayers(parts: StoreParts, to: RegistryPush, manifest: ImageManifest, ids: readonly Digest[], o: PushRequest): Promise<void> {
  const limiter = new Limiter(uploadsAtOnce);
  const stop = new AbortController();
  const signal = AbortSignal.any([o.signal, stop.signal]);
  const layers = [...new Map(manifest.layers.map((layer, index) => [layer.digest, { layer, id: ids[index] ?? layer.digest }])).values()];
  for (const { id } of layers) o.say(layerStatus(id, "Preparing"));
  try {
    await Promise.all(layers.map(({ layer, id }) => limiter.run(() => pushLayer(parts, to, layer, id, o), signal)));
  } catch (error) {
    stop.abort(error);
    throw error;
  }
  await to.blob({ descriptor: manifest.config, read: (from) => blobBytes(parts, manifest.config, from) });
}

async function pushLayer(parts: StoreParts, to: RegistryPush, layer: Descriptor, id: Digest, o: PushRequest): Promise<void> {
  const board = new StatusBoard();
  using _listening = board.listen(o.say);
  const outcome = await to.blob({
    descriptor: layer,
    read: (from) => blobBytes(parts, layer, from),
    onSent: (bytes) => board.update(layerStatus(id, "Pushing", { current: bytes, total: layer.size })),
  });
  board.say(layerStatus(id, said(outcome)));
}

function said(outcome: BlobOutcome): string {
  switch (outcome.kind) {
    case "exists":
      return "Layer already exists";
    case "mounted":
      return `Mounted from ${outcome.from}`;
    case "pushed":
      return "Pushed";
    default:
      return outcome satisfies never;
  }
}

async function* blobBytes(parts: StoreParts, { digest, size }: Descriptor, from: number): AsyncGenerator<Uint8Array, void, void> {
  const file = await open(parts.content.path(digest), "r");
  try {
    for (let at = from; at < size; ) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafeSlow(Math.min(readBytes, size - at)), 0, undefined, at);
      if (bytesRead === 0) throw new BerthError("internal", `the stored blob ${digest} is shorter than it was; pull the image again`);
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** Repositories of the same registry that had this image. */
function mountSources(image: Image, reference: Reference): string[] {
  const prefix = `${reference.registry}/`;
  const names = image.repoDigests.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length, name.indexOf("@")));
  return [...new Set(names)].filter((name) => name !== reference.path).slice(0, 3);
}

function pushError(reference: Reference, error: unknown): unknown {
  if (!isBerthError(error, "pull_failed")) return error;
  const image = canonicalReference(reference);
  const code = error instanceof RegistryUnreachableError ? "network" : "internal";
  return new BerthError(code, `cannot push ${image}: ${messageOf(error)}`, { image, reason: error.message, status: error.fields.status, cause: error });
}
