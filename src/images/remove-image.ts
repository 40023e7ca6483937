/** Methods 26 and 27: which names and which images go. What they stood on is freed by `collect-garbage.ts`. */
import { BerthError } from "../errors.ts";
import { type Digest, digestHex } from "../spec/digest.ts";
import { canonicalReference, parseReference } from "../spec/reference.ts";
import { collectGarbage, needsOf, strayBlobs } from "./collect-garbage.ts";
import type { Image } from "./image-records.ts";
import type { StoreParts } from "./store-parts.ts";

/** What a removal did. */
export interface Removed {
  /** Names and repository digests that are gone. */
  readonly untagged: readonly string[];
  /** The image, when it is gone too. */
  readonly deleted?: Image | undefined;
  readonly freedBytes: number;
}

const partialDownloadsStayMs = 3_600_000;

/** `name` is what the caller said, `image` what it means. Throws `conflict`, and then nothing has changed. */
export async function removeImage(parts: StoreParts, name: string, image: Image, force: boolean): Promise<Removed> {
  const needs = await needsOf(parts, image);
  const outcome = await parts.leases.whileStill((leased) => parts.records.atomically(() => decide(parts, name, image.id, { force, needs, leased })));
  const freedBytes = outcome.deleted === undefined ? 0 : await collectGarbage(parts);
  return { ...outcome, freedBytes };
}

interface Removal {
  readonly force: boolean;
  readonly needs: readonly Digest[];
  /** Containers that are being created hold on to their image, too. */
  readonly leased: ReadonlySet<string>;
}

function decide(parts: StoreParts, name: string, id: Digest, o: Removal): Omit<Removed, "freedBytes"> {
  const image = parts.records.get(id);
  if (image === undefined)
    throw new BerthError("not_found", `no such image: ${name}; pull it first`, { container: name, image: name, reason: "no such image" });
  const tag = asTag(name, image);
  if (tag !== undefined && image.names.length > 1) {
    parts.records.untag([tag]);
    parts.records.tell("untag", image, tag);
    return { untagged: [tag] };
  }
  if (tag === undefined && image.names.length > 1 && !o.force) throw hasSeveralNames(name, image);
  const users = parts.usersOf(id);
  const isUsed = users.length > 0 || o.leased.has(id);
  if (isUsed && !o.force) throw isInUse(name, users);
  const untagged = [...image.names, ...image.repoDigests];
  for (const each of image.names) parts.records.tell("untag", image, each);
  if (isUsed) {
    parts.records.doom(id);
    return { untagged };
  }
  parts.records.delete(id, o.needs);
  parts.records.tell("delete", image);
  return { untagged, deleted: image };
}

/** The tag the caller spoke of; `undefined` when it was an id or a digest. */
function asTag(name: string, image: Image): string | undefined {
  const isId = image.id === name || (/^[0-9a-f]{12,64}$/.test(name) && digestHex(image.id).startsWith(name) && !isNameOf(name, image));
  if (isId || name.startsWith("sha256:")) return undefined;
  return isNameOf(name, image) ? canonicalReference(parseReference(name)) : undefined;
}

function isNameOf(name: string, image: Image): boolean {
  return !/^[0-9a-f]{64}$/.test(name) && image.names.includes(canonicalReference(parseReference(name)));
}

function hasSeveralNames(name: string, image: Image): BerthError {
  const list = image.names.join(", ");
  return new BerthError("conflict", `image ${name} has several names (${list}); remove them one by one, or all of them with force`, { image: name });
}

function isInUse(name: string, users: readonly string[]): BerthError {
  const who = users.length === 0 ? "a container that is being created" : `container ${users.slice(0, 3).join(", ")}${users.length > 3 ? ", …" : ""}`;
  return new BerthError("conflict", `image ${name} is used by ${who}; remove that first, or only the name with force`, { image: name });
}

/** The last container of an image is gone: so is the image, when its removal waited for that. */
export async function removeIfDoomed(parts: StoreParts, id: string): Promise<void> {
  const image = parts.records.isDoomed(id) ? parts.records.get(id) : undefined;
  if (image === undefined) return;
  const needs = await needsOf(parts, image);
  const isGone = await parts.leases.whileStill((leased) =>
    parts.records.atomically(() => {
      if (!parts.records.isDoomed(id) || leased.has(id) || parts.usersOf(id).length > 0) return false;
      parts.records.delete(image.id, needs);
      parts.records.tell("delete", image);
      return true;
    }),
  );
  if (isGone) await collectGarbage(parts);
}

export interface PruneImagesOptions {
  /** Every image that no container uses, not only those without a name. */
  readonly all?: boolean | undefined;
  /** Only images made before. */
  readonly until?: Date | undefined;
  /** `key` or `key=value`; `!` before it excludes, as does `key!=value`. */
  readonly labels?: readonly string[] | undefined;
}

export async function pruneImages(parts: StoreParts, o: PruneImagesOptions): Promise<{ readonly removed: readonly Removed[]; readonly freedBytes: number }> {
  const candidates = parts.records.list().filter((image) => isPruned(image, o));
  const removed: Removed[] = [];
  for (const candidate of candidates) {
    const needs = await needsOf(parts, candidate);
    const untagged = await parts.leases.whileStill((leased) => parts.records.atomically(() => pruneOne(parts, candidate.id, o, { needs, leased })));
    if (untagged !== undefined) removed.push({ untagged, deleted: candidate, freedBytes: 0 });
  }
  const freedBytes = await collectGarbage(parts, [...(await strayBlobs(parts, partialDownloadsStayMs)), ...parts.records.snapshots()]);
  return { removed, freedBytes: freedBytes + parts.content.removeStaleIngests(partialDownloadsStayMs) };
}

/** The names that went with it; `undefined` when it stays. */
function pruneOne(parts: StoreParts, id: Digest, o: PruneImagesOptions, at: Omit<Removal, "force">): readonly string[] | undefined {
  const image = parts.records.get(id);
  if (image === undefined || !isPruned(image, o) || at.leased.has(id) || parts.usersOf(id).length > 0) return undefined;
  parts.records.delete(id, at.needs);
  for (const each of image.names) parts.records.tell("untag", image, each);
  parts.records.tell("delete", image);
  return [...image.names, ...image.repoDigests];
}

function isPruned(image: Image, o: PruneImagesOptions): boolean {
  if (o.all !== true && image.names.length > 0) return false;
  const created = image.config.created === undefined ? image.pulledAt : new Date(image.config.created);
  if (o.until !== undefined && !(created.getTime() < o.until.getTime())) return false;
  return (o.labels ?? []).every((filter) => hasLabel(image.config.config.labels, filter));
}

function hasLabel(labels: Readonly<Record<string, string>>, filter: string): boolean {
  const [, unless, key = "", not, value] = /^(!?)([^=!]*)(!?)(?:=([\s\S]*))?$/.exec(filter) ?? [];
  const isThere = Object.hasOwn(labels, key) && (value === undefined || labels[key] === value);
  return isThere !== (unless === "!" || not === "!");
}
