/** Removes from the disk what no image, and no work in progress, needs any more. */
import type { Digest } from "../spec/digest.ts";
import { parseManifest } from "../spec/manifest.ts";
import type { Image } from "./image-records.ts";
import { chainIds } from "./snapshot-store.ts";
import type { StoreParts } from "./store-parts.ts";

/**
 * Goes through what is noted as garbage and `more`. What is needed after all is forgotten, what is leased stays noted for
 * the next time. Answers the bytes that were freed.
 */
export async function collectGarbage(parts: StoreParts, more: readonly Digest[] = []): Promise<number> {
  const noted = parts.records.garbage();
  const candidates = [...new Set([...noted, ...more])];
  if (candidates.length === 0) return 0;
  const needed = await neededDigests(parts);
  const removals: (() => Promise<void>)[] = [];
  const done: Digest[] = [];
  let freed = 0;
  await parts.leases.whileStill((leased) => {
    // Read again, where nothing can come in between: an image may have been added since.
    for (const image of parts.records.list()) for (const digest of recordedNeeds(parts, image)) needed.add(digest);
    for (const digest of candidates) {
      if (leased.has(digest)) continue;
      if (!needed.has(digest)) {
        const size = parts.records.snapshotSize(digest);
        const removal = parts.records.hasSnapshot(digest) ? parts.snapshots.beginRemoval(digest, () => parts.records.deleteSnapshot(digest)) : nothing;
        if (removal === undefined) continue;
        removals.push(removal);
        freed += (removal === nothing ? 0 : size) + parts.content.remove(digest);
      }
      done.push(digest);
    }
  });
  for (const remove of removals) await remove();
  parts.records.forgetGarbage(done);
  return freed;
}

const nothing = async (): Promise<void> => {};

/** Blobs that no record speaks of: of pulls that were given up, or of work that was cut off. Answers digests only. */
export async function strayBlobs(parts: StoreParts, olderThanMs: number): Promise<Digest[]> {
  const needed = await neededDigests(parts);
  const isOld = (digest: Digest): boolean => Date.now() - (parts.content.changedAt(digest) ?? Date.now()) >= olderThanMs;
  return parts.content.list().filter((digest) => !needed.has(digest) && isOld(digest));
}

export async function neededDigests(parts: StoreParts): Promise<Set<Digest>> {
  const needed = new Set<Digest>();
  for (const image of parts.records.list()) for (const digest of await needsOf(parts, image)) needed.add(digest);
  return needed;
}

/** Everything an image stands on: blobs and layers. */
export async function needsOf(parts: StoreParts, image: Image): Promise<Digest[]> {
  const recorded = recordedNeeds(parts, image);
  return parts.records.blobs(image.id).length > 0 ? recorded : [...recorded, ...(await blobsOfManifest(parts, image.manifestDigest))];
}

function recordedNeeds(parts: StoreParts, image: Image): Digest[] {
  const digests = image.repoDigests.map((name) => name.slice(name.indexOf("@") + 1) as Digest);
  return [image.id, image.manifestDigest, ...digests, ...parts.records.blobs(image.id), ...chainIds(image.config.rootfs.diffIds)];
}

/** For images recorded before their blobs were. */
async function blobsOfManifest(parts: StoreParts, digest: Digest): Promise<Digest[]> {
  if (!parts.content.has(digest)) return [];
  const manifest = parseManifest(await parts.content.read(digest), "");
  return manifest.kind === "manifest" ? [manifest.config.digest, ...manifest.layers.map((layer) => layer.digest)] : [];
}
