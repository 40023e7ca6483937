/** The mock's image store: references to images, and the pulls that fill it. */
import { BerthError } from "../../errors.ts";
import type { JournalledEvent } from "../../runtime/event-stream.ts";
import type { PullOptions } from "../../runtime/runtime.ts";
import type { ImageHistoryEntry, ImageInfo, ImageInspectInfo, PruneResult, PullProgress, RegistryAuth } from "../../runtime/types.ts";
import { type OciPlatform, toOciPlatform } from "../../spec/platform.ts";
import { assertTagTarget, canonicalReference, familiarName, parseReference, repositoryName } from "../../spec/reference.ts";
import type { PullPolicy } from "../../spec/service-spec.ts";
import type { Files } from "./file-tree.ts";
import type { MockRegistry, PublishedImage } from "./registry.ts";

export interface StoredImage extends PublishedImage {
  readonly tags: Set<string>;
  /** `repo@sha256:…` */
  readonly repoDigests: Set<string>;
  /** What a commit found in its container; absent for images that were pulled. */
  readonly files?: Files | undefined;
}

const policies: readonly PullPolicy[] = ["always", "newer", "if_not_present", "never"];

export class ImageStore {
  readonly #images = new Map<string, StoredImage>();
  /** Ids of images that go with their last container. */
  readonly #doomed = new Set<string>();
  readonly #registry: MockRegistry;
  readonly #host: OciPlatform;
  /** Image ids containers hold on to. */
  readonly #inUse: () => ReadonlySet<string>;
  readonly #accountFor: (image: string) => RegistryAuth | undefined;

  readonly #record: (event: Omit<JournalledEvent, "sequence" | "time">) => void;

  constructor(o: {
    readonly registry: MockRegistry;
    readonly host: OciPlatform;
    readonly inUse: () => ReadonlySet<string>;
    readonly accountFor: (image: string) => RegistryAuth | undefined;
    readonly record: (event: Omit<JournalledEvent, "sequence" | "time">) => void;
  }) {
    this.#record = o.record;
    this.#registry = o.registry;
    this.#host = o.host;
    this.#inUse = o.inUse;
    this.#accountFor = o.accountFor;
  }

  /** Method 2, by the table of contract 1.4. Answers whether something was downloaded. */
  pull(image: string, policy: PullPolicy, auth: RegistryAuth | undefined, o: PullOptions): { readonly stored: StoredImage; readonly isNew: boolean } {
    const reference = canonicalReference(parseReference(image));
    if (!policies.includes(policy)) throw new BerthError("invalid_spec", `${JSON.stringify(policy)} is not a pull policy; expected ${policies.join(", ")}`);
    const local = this.find(reference);
    if (local !== undefined && (policy === "if_not_present" || policy === "never")) return { stored: local, isNew: false };
    if (policy === "never" || o.sourcePolicy === "local_only") {
      if (local !== undefined) return { stored: local, isNew: false };
      throw new BerthError("pull_failed", `${reference} is not here and may not be pulled; pull it with another policy`, { image: reference });
    }
    const platform = o.platform === undefined ? this.#host : toOciPlatform(o.platform);
    try {
      const published = this.#registry.resolve(reference, platform, usable(auth) ?? this.#accountFor(reference));
      return this.#store(reference, published, local);
    } catch (thrown) {
      const unreachable = thrown instanceof BerthError && thrown.fields.status === undefined;
      if (policy === "newer" && local !== undefined && unreachable) return { stored: local, isNew: false };
      throw thrown;
    }
  }

  async *pullStream(image: string, auth: RegistryAuth | undefined, o: PullOptions): AsyncGenerator<PullProgress> {
    const reference = canonicalReference(parseReference(image));
    yield { kind: "status", status: `Pulling from ${reference}` };
    const { stored, isNew } = this.pull(image, "always", auth, o);
    for (const [index, diffId] of stored.config.rootfs.diffIds.entries()) yield* layerProgress(diffId, stored.layerSizes[index] ?? 0, isNew);
    yield { kind: "status", status: `Digest: ${stored.manifestDigest}` };
    yield { kind: "status", status: `Status: ${isNew ? "Downloaded newer image" : "Image is up to date"} for ${reference}` };
    yield { kind: "done", reference, digest: stored.manifestDigest };
  }

  #store(reference: string, published: PublishedImage, local: StoredImage | undefined): { readonly stored: StoredImage; readonly isNew: boolean } {
    const isNew = local?.id !== published.id;
    const stored = this.#images.get(published.id) ?? { ...published, tags: new Set<string>(), repoDigests: new Set<string>() };
    this.#images.set(published.id, stored);
    const parsed = parseReference(reference);
    stored.repoDigests.add(`${repositoryName(parsed)}@${published.manifestDigest}`);
    if (parsed.digest === undefined) this.#moveTag(reference, stored);
    this.tell("pull", stored, reference);
    if (isNew) this.#registry.downloads.set(reference, (this.#registry.downloads.get(reference) ?? 0) + 1);
    return { stored, isNew };
  }

  /** As Docker tells it: a pull or push is about a reference, everything else about an id. */
  tell(action: string, image: StoredImage, reference?: string): void {
    const { labels } = image.config.config;
    const familiar = reference === undefined ? undefined : familiarName(reference);
    const isOfReference = familiar !== undefined && (action === "pull" || action === "push");
    const name = isOfReference ? familiar.replace(/(?::[^:/]*|@.*)$/, "") : action === "tag" && familiar !== undefined ? familiar : image.id;
    this.#record({ type: "image", action, actor: { id: isOfReference ? familiar : image.id, attributes: { ...labels, name } } });
  }

  /** An image that came from no registry. */
  add(image: PublishedImage & Pick<StoredImage, "files">, tags: readonly string[], action?: "load" | "import"): StoredImage {
    const stored = this.#images.get(image.id) ?? { ...image, tags: new Set<string>(), repoDigests: new Set<string>() };
    this.#images.set(image.id, stored);
    this.#doomed.delete(image.id);
    for (const tag of tags) this.#moveTag(tag, stored);
    if (action !== undefined) this.tell(action, stored);
    if (action !== "load") for (const tag of tags) this.tell("tag", stored, tag);
    return stored;
  }

  #moveTag(reference: string, to: StoredImage): void {
    this.#doomed.delete(to.id);
    for (const image of this.#images.values()) image.tags.delete(reference);
    to.tags.add(reference);
  }

  /** By canonical reference only. */
  find(reference: string): StoredImage | undefined {
    return [...this.#images.values()].find((image) => image.tags.has(reference) || image.repoDigests.has(reference));
  }

  /** By reference, `sha256:<hex>` or a unique prefix of 12 digits or more. Throws `not_found`, `invalid_spec`. */
  get(name: string): StoredImage {
    const hex = /^(?:sha256:)?([0-9a-f]{12,64})$/.exec(name)?.[1];
    if (hex !== undefined) {
      const matches = [...this.#images.values()].filter((image) => image.id.startsWith(`sha256:${hex}`));
      if (matches.length > 1) throw new BerthError("invalid_spec", `image id ${name} is ambiguous; give more digits`);
      if (matches[0] !== undefined) return matches[0];
      if (hex.length === 64 || name.startsWith("sha256:")) throw unknown(name);
    }
    const found = this.find(canonicalReference(parseReference(name)));
    if (found === undefined) throw unknown(name);
    return found;
  }

  /** One per image, where {@link list} has one per name. */
  all(): readonly StoredImage[] {
    return [...this.#images.values()];
  }

  list(): readonly ImageInfo[] {
    const entries = [...this.#images.values()].flatMap((image) =>
      (image.tags.size === 0 ? [image.id] : [...image.tags]).map((reference) => ({
        reference,
        digest: image.manifestDigest,
        id: image.id,
        sizeBytes: sum(image.layerSizes),
        created: image.config.created === undefined ? undefined : new Date(image.config.created),
      })),
    );
    return entries.sort((a, b) => (a.reference < b.reference ? -1 : 1));
  }

  /** Method 26. */
  remove(name: string, force: boolean): void {
    const image = this.get(name);
    const reference = image.tags.has(tryCanonical(name)) ? tryCanonical(name) : undefined;
    const used = this.#inUse().has(image.id);
    if (reference === undefined && image.tags.size > 1 && !force) {
      throw new BerthError("conflict", `image ${name} has several tags; remove them one by one or use force`);
    }
    const isLast = reference === undefined || image.tags.size <= 1;
    if (isLast && used && !force) throw new BerthError("conflict", `image ${name} is used by a container; remove that first or use force`);
    if (reference !== undefined && !isLast) {
      image.tags.delete(reference);
      return this.tell("untag", image, reference);
    }
    for (const tag of image.tags) this.tell("untag", image, tag);
    image.tags.clear();
    image.repoDigests.clear();
    if (used) this.#doomed.add(image.id);
    else this.#delete(image);
  }

  /** Drops an image whose removal was forced once its last container is gone. */
  release(id: string): void {
    const image = this.#images.get(id);
    if (image === undefined || !this.#doomed.has(id) || this.#inUse().has(id)) return;
    this.#delete(image);
  }

  #delete(image: StoredImage): void {
    this.#doomed.delete(image.id);
    this.#images.delete(image.id);
    this.tell("delete", image);
  }

  /** Method 27. */
  prune(o: { readonly all?: boolean | undefined; readonly until?: Date | undefined; readonly labels?: readonly string[] | undefined }): PruneResult {
    const used = this.#inUse();
    const gone = [...this.#images.values()].filter((image) => !used.has(image.id) && isPruned(image, o));
    for (const image of gone) this.#delete(image);
    return { deleted: gone.flatMap((image) => [...image.tags, image.id]), spaceReclaimed: sum(gone.map((image) => sum(image.layerSizes))) };
  }

  tag(source: string, target: string): void {
    const image = this.get(source);
    const reference = canonicalReference(assertTagTarget(target));
    this.#moveTag(reference, image);
    this.tell("tag", image, reference);
  }

  inspect(name: string): ImageInspectInfo {
    const image = this.get(name);
    const { config } = image.config;
    return {
      id: image.id,
      repoTags: [...image.tags].sort(),
      repoDigests: [...image.repoDigests].sort(),
      created: image.config.created,
      author: image.config.author,
      comment: image.config.comment,
      container: image.config.container,
      architecture: image.config.architecture,
      variant: image.config.variant,
      os: image.config.os,
      size: sum(image.layerSizes),
      layers: image.config.rootfs.diffIds,
      ...config,
    };
  }

  history(name: string): readonly ImageHistoryEntry[] {
    const image = this.get(name);
    const sizes = [...image.layerSizes];
    const created = image.config.created;
    const rows = image.config.history.length > 0 ? image.config.history : sizes.map(() => ({ created }));
    const entries = rows.map((row) => ({
      id: "<missing>",
      created: Math.floor(Date.parse(row.created ?? "1970-01-01T00:00:00Z") / 1000),
      createdBy: ("createdBy" in row ? row.createdBy : undefined) ?? "",
      tags: [],
      size: "emptyLayer" in row && row.emptyLayer === true ? 0 : (sizes.shift() ?? 0),
      comment: ("comment" in row ? row.comment : undefined) ?? "",
    }));
    const [newest, ...others] = entries.reverse();
    return newest === undefined ? [] : [{ ...newest, id: image.id, tags: [...image.tags].sort() }, ...others];
  }
}

function isPruned(
  image: StoredImage,
  o: { readonly all?: boolean | undefined; readonly until?: Date | undefined; readonly labels?: readonly string[] | undefined },
): boolean {
  if (o.all !== true && image.tags.size > 0) return false;
  if (o.until !== undefined && !(Date.parse(image.config.created ?? "") < o.until.getTime())) return false;
  return (o.labels ?? []).every((filter) => hasLabel(image.config.config.labels, filter));
}

function hasLabel(labels: Readonly<Record<string, string>>, filter: string): boolean {
  const [, unless, key = "", not, value] = /^(!?)([^=!]*)(!?)(?:=([\s\S]*))?$/.exec(filter) ?? [];
  const isThere = Object.hasOwn(labels, key) && (value === undefined || labels[key] === value);
  return isThere !== (unless === "!" || not === "!");
}

function* layerProgress(diffId: string, total: number, isNew: boolean): Generator<PullProgress> {
  const id = diffId.slice("sha256:".length, "sha256:".length + 12);
  if (!isNew) return yield { kind: "status", id, status: "Already exists" };
  yield { kind: "status", id, status: "Pulling fs layer" };
  yield { kind: "status", id, status: "Downloading", current: total, total };
  for (const status of ["Verifying Checksum", "Download complete", "Extracting", "Pull complete"]) yield { kind: "status", id, status };
}

/** An empty account counts as none. */
function usable(auth: RegistryAuth | undefined): RegistryAuth | undefined {
  return auth === undefined || (auth.username === "" && auth.password === "") ? undefined : auth;
}

function tryCanonical(name: string): string {
  try {
    return canonicalReference(parseReference(name));
  } catch {
    return name;
  }
}

function unknown(name: string): BerthError {
  return new BerthError("not_found", `no such image: ${name}; pull it first`, { container: name, image: name });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
