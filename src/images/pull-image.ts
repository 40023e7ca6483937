/** One pull from the registry to the record. Nothing of it is visible before the last step. */
import { abandonable } from "../internal/abort.ts";
import type { Credentials } from "../registry/types.ts";
import type { Descriptor } from "../spec/descriptor.ts";
import type { Digest } from "../spec/digest.ts";
import type { OciPlatform } from "../spec/platform.ts";
import { canonicalReference, familiarName, type Reference, repositoryName } from "../spec/reference.ts";
import type { ContentLease } from "./content-leases.ts";
import type { Image, NewSnapshot } from "./image-records.ts";
import type { Layer, LayerWork } from "./layer-unpacking.ts";
import type { Lease } from "./leases.ts";
import { imageStatus, type OnPullStatus } from "./pull-progress.ts";
import { type ResolvedImage, resolveImage } from "./resolve-image.ts";
import type { PendingSnapshot } from "./snapshot-store.ts";
import type { StoreParts } from "./store-parts.ts";
import { substitutes } from "./stored-layers.ts";

export interface PullRequest {
  readonly reference: Reference;
  readonly platform: OciPlatform | undefined;
  readonly auth: Credentials | undefined;
  readonly signal: AbortSignal;
  readonly say: OnPullStatus;
}

/** `root` is what the reference resolved to. An abort leaves complete blobs in the store, and partial ones for later. */
export async function pullImage(parts: StoreParts, request: PullRequest, root: Descriptor): Promise<Image> {
  const { reference, auth, signal, say } = request;
  const name = canonicalReference(reference);
  say(imageStatus(`Pulling from ${familiarName(repositoryName(reference))}`));
  const before = parts.records.byName(name);
  using _workers = parts.pool.hold();
  using lease = await parts.leases.begin([root.digest]);
  const source = { registry: parts.registry, content: parts.content, reference, call: { auth, signal }, lease };
  const resolved = await resolveImage(source, root, request.platform);
  await leaseLayers(lease, resolved);
  const isNew = await storeLayers(parts, request, resolved, root, lease);
  const isSame = !isNew && (before === undefined ? reference.digest !== undefined : before.imageId === resolved.configDescriptor.digest);
  sayResult(say, reference, root, isSame);
  const image = parts.records.get(resolved.configDescriptor.digest);
  if (image === undefined) throw new Error(`image ${resolved.configDescriptor.digest} was removed while it was pulled`);
  return image;
}

async function leaseLayers(lease: ContentLease, resolved: ResolvedImage): Promise<void> {
  await lease.add([resolved.configDescriptor.digest, ...resolved.layers.flatMap((layer) => [layer.blob.digest, layer.chainId])]);
}

export function sayResult(say: OnPullStatus, reference: Reference, root: Descriptor, isSame: boolean): void {
  const shown = familiarName(canonicalReference(reference));
  say(imageStatus(`Digest: ${root.digest}`));
  say(imageStatus(isSame ? `Status: Image is up to date for ${shown}` : `Status: Downloaded newer image for ${shown}`));
}

/** Answers whether anything had to be unpacked. */
async function storeLayers(parts: StoreParts, request: PullRequest, resolved: ResolvedImage, root: Descriptor, lease: ContentLease): Promise<boolean> {
  const leases: Lease<LayerWork>[] = [];
  const listening: Disposable[] = [];
  try {
    for (const layer of resolved.layers) {
      const lease = await parts.layers.acquire(layer, request);
      leases.push(lease);
      listening.push(lease.value.board.listen(request.say));
      // A failed layer ends the pull at once, and not after all others were claimed.
      await abandonable(Promise.race([lease.value.claimed, Promise.all(leases.map((other) => other.value.ready))]), request.signal);
    }
    const unpacked = await abandonable(Promise.all(leases.map((lease) => lease.value.ready)), request.signal);
    request.signal.throwIfAborted();
    const fresh = unpacked.flatMap((work, index) => {
      const layer = resolved.layers[index];
      return work === undefined || layer === undefined ? [] : [{ pending: work.pending, snapshot: snapshotOf(layer, work.unpacked.sizeBytes) }];
    });
    const standIns = await substitutes(parts, resolved.layers, lease);
    await publish(
      parts,
      fresh.map(({ pending }) => pending),
    );
    record(
      parts,
      request,
      resolved,
      root,
      fresh.map(({ snapshot }) => snapshot),
      standIns,
    );
    for (const { pending } of fresh) pending.keep();
    return fresh.length > 0;
  } finally {
    for (const listener of listening) listener[Symbol.dispose]();
    await Promise.all(leases.map((lease) => lease.release()));
  }
}

/** Data first, once for all layers, then the names. */
export async function publish(parts: StoreParts, pending: readonly PendingSnapshot[]): Promise<void> {
  if (pending.length === 0) return;
  await parts.pool.run({ kind: "sync", path: parts.snapshots.root });
  for (const snapshot of pending) snapshot.publish();
  parts.snapshots.syncNames();
}

function record(
  parts: StoreParts,
  request: PullRequest,
  resolved: ResolvedImage,
  root: Descriptor,
  snapshots: readonly NewSnapshot[],
  standIns: readonly Digest[],
): void {
  const { reference } = request;
  parts.records.add({
    id: resolved.configDescriptor.digest,
    manifestDigest: resolved.manifestDigest,
    config: resolved.configBytes,
    chainIds: resolved.layers.map((layer) => layer.chainId),
    snapshots,
    blobs: [
      ...new Set([root.digest, resolved.manifestDigest, resolved.configDescriptor.digest, ...resolved.layers.map((layer) => layer.blob.digest), ...standIns]),
    ],
    names: reference.digest === undefined ? [canonicalReference(reference)] : [],
    repository: repositoryName(reference),
    events: [{ action: "pull", name: canonicalReference(reference) }],
    digest: root.digest,
  });
}

function snapshotOf(layer: Layer, sizeBytes: number): NewSnapshot {
  return { chainId: layer.chainId, parent: layer.parent, diffId: layer.diffId, sizeBytes };
}
