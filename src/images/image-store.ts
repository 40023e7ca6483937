/**
 * The images of this machine (contract 2.6 and 4.8): pulled from registries, kept as blobs, unpacked
 * as snapshots, named in the state store. Several processes may have one store open.
 */
import { availableParallelism } from "node:os";
import { openContentStore, type ContentStore } from "../content/content-store.ts";
import { BerthError, isBerthError, messageOf } from "../errors.ts";
import { abandonable } from "../internal/abort.ts";
import type { Credentials, RegistryClient, RegistrySearchHit } from "../registry/types.ts";
import type { Descriptor } from "../spec/descriptor.ts";
import { type Digest, sha256, tryParseDigest } from "../spec/digest.ts";
import { type OciPlatform, platformMatches, platformToString } from "../spec/platform.ts";
import { canonicalReference, parseReference, type Reference, repositoryName } from "../spec/reference.ts";
import type { PullPolicy } from "../spec/service-spec.ts";
import type { Database } from "../state/database.ts";
import { resolveAtRegistry, searchAtRegistry } from "./ask-registry.ts";
import { BlobDownloads } from "./blob-downloads.ts";
import { isDiskFull } from "../internal/disk-full.ts";
import { collectGarbage } from "./collect-garbage.ts";
import { ContentLeases } from "./content-leases.ts";
import { type CreateImageOptions, createImage } from "./create-image.ts";
import { type Image, type ImageEvent, ImageRecords, type NameRecord } from "./image-records.ts";
import { type ImportImageOptions, importImage } from "./import-image.ts";
import { LayerUnpacking } from "./layer-unpacking.ts";
import { Leases, type SharedWork } from "./leases.ts";
import { type LoadOptions, loadImages } from "./load-images.ts";
import { imagesToSave, type SavedImage, saveImages } from "./save-images.ts";
import { Limiter } from "./limiter.ts";
import { pullImage, sayResult } from "./pull-image.ts";
import { type OnPullStatus, StatusBoard } from "./pull-progress.ts";
import { pushImage } from "./push-image.ts";
import { type PruneImagesOptions, pruneImages, type Removed, removeIfDoomed, removeImage } from "./remove-image.ts";
import { chainIds, SnapshotStore } from "./snapshot-store.ts";
import type { StoreParts } from "./store-parts.ts";
import { UnpackPool } from "./unpack-pool.ts";

export interface ImageStoreOptions {
  readonly root: string;
  /** Opened with `imagesSchema` among its schemas. */
  readonly db: Database;
  readonly registry: RegistryClient;
  /** Credentials for a registry host when the caller brings none. */
  readonly resolveCredentials?: ((registry: string) => Promise<Credentials | undefined>) | undefined;
  /** Layers downloaded at once, over all pulls. Default 3. */
  readonly downloads?: number | undefined;
  readonly onWarning?: ((text: string) => void) | undefined;
  /** Names of the containers that were made from an image, in the same database. Default: none. */
  readonly usersOf?: ((imageId: string) => readonly string[]) | undefined;
  /** Hears what happens to images, as a part of the transaction that records it. */
  readonly onEvent?: ((event: ImageEvent) => void) | undefined;
}

export interface PullImageOptions {
  readonly policy: PullPolicy;
  /** Default: the host's; then also an image that exists for another architecture only is taken. */
  readonly platform?: OciPlatform | undefined;
  /** Used for this call only. */
  readonly auth?: Credentials | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnPullStatus | undefined;
}

export function openImageStore(o: ImageStoreOptions): ImageStore {
  return new ImageStore(o);
}

interface Pull {
  readonly board: StatusBoard;
  readonly result: Promise<Image>;
}

export class ImageStore {
  readonly content: ContentStore;
  readonly #o: ImageStoreOptions;
  readonly #parts: StoreParts;
  readonly #records: ImageRecords;
  readonly #snapshots: SnapshotStore;
  readonly #pulls = new Leases<Pull>();
  readonly #running = new Set<Promise<unknown>>();
  readonly #closed = new AbortController();
  readonly #layerPaths = new Map<Digest, readonly string[]>();
  readonly #recovered: Promise<void>;

  constructor(o: ImageStoreOptions) {
    this.#o = o;
    const pool = new UnpackPool(availableParallelism());
    this.content = openContentStore(o.root);
    this.#records = new ImageRecords(o.db, o.onEvent);
    const has = (chainId: Digest): boolean => this.#records.hasSnapshot(chainId);
    this.#snapshots = new SnapshotStore(o.root, { has }, async (path) => void (await pool.run({ kind: "remove", path })));
    const downloads = new BlobDownloads(this.content, o.registry, new Limiter(o.downloads ?? 3));
    const layers = new LayerUnpacking(this.#snapshots, downloads, pool);
    this.#parts = {
      root: o.root,
      registry: o.registry,
      content: this.content,
      records: this.#records,
      snapshots: this.#snapshots,
      layers,
      pool,
      leases: new ContentLeases(o.root),
      usersOf: o.usersOf ?? (() => []),
    };
    this.#recovered = this.#recover().catch((error: unknown) => o.onWarning?.(`cannot remove what an earlier process left: ${messageOf(error)}`));
  }

  /**
   * Makes sure the image is there as the policy says (contract 1.4), and answers it. Pulls of the same reference, platform
   * and credentials share one download; an abort ends this call at once, and the download when nobody else wants it.
   * Throws `pull_failed`.
   */
  async pull(reference: Reference, o: PullImageOptions): Promise<Image> {
    o.signal?.throwIfAborted();
    const local = this.#usable(this.#lookUp(reference, o.platform), o.platform);
    if (local !== undefined && (o.policy === "if_not_present" || o.policy === "never")) return local;
    if (o.policy === "never") throw neverPulled(reference, o.platform);
    const auth = await this.#account(reference, o.auth);
    const key = pullKey(reference, o.policy, o.platform, auth);
    const lease = await this.#pulls.acquire(key, () => this.#begin(reference, { ...o, auth }));
    using _listening = o.onProgress === undefined ? undefined : lease.value.board.listen(o.onProgress);
    try {
      return await abandonable(lease.value.result, o.signal);
    } finally {
      const released = lease.release();
      // Who aborted does not wait for the cleaning up.
      if (o.signal?.aborted !== true) await released;
    }
  }

  /** By reference, by id or by at least 12 digits of it. Throws `invalid_spec` for a malformed name or an ambiguous id. */
  find(nameOrId: string): Image | undefined {
    const id = tryParseDigest(nameOrId);
    if (id !== undefined) return this.#records.get(id);
    const isHex = /^[0-9a-f]{12,64}$/.test(nameOrId);
    if (!isHex || nameOrId.length < 64) {
      const found = this.#lookUp(parseReference(nameOrId), undefined);
      if (found !== undefined || !isHex) return found;
    }
    const [first, second] = this.#records.byPrefix(nameOrId);
    if (second !== undefined) throw new BerthError("invalid_spec", `several image ids begin with ${nameOrId}; write more digits`, { image: nameOrId });
    return first === undefined ? undefined : this.#records.get(first);
  }

  get(id: string): Image | undefined {
    return this.#records.get(id);
  }

  list(): Image[] {
    return this.#records.list();
  }

  /** Makes an image of a layer, a config, and what another image has. */
  create(o: CreateImageOptions): Promise<Image> {
    return this.#alive((signal) => createImage(this.#parts, { ...o, signal }), o.signal);
  }

  /** What {@link save} is to save. Throws `not_found`, `invalid_spec`. */
  toSave(names: readonly string[]): SavedImage[] {
    return imagesToSave(names, (name) => this.mustFind(name));
  }

  /** Method 33. */
  save(saved: readonly SavedImage[], stop: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    return saveImages(this.#parts, saved, AbortSignal.any([stop, this.#closed.signal]));
  }

  /** Method 34. Answers the references that were loaded. */
  load(tar: Uint8Array | AsyncIterable<Uint8Array>, o: LoadOptions): Promise<string[]> {
    return this.#alive((signal) => loadImages(this.#parts, tar, { ...o, signal }), o.signal);
  }

  /** Sends the image of that name to where the name says. Answers the digest the registry has for it. */
  push(reference: Reference, o: { readonly auth?: Credentials | undefined; readonly say: OnPullStatus; readonly signal: AbortSignal }): Promise<Digest> {
    return this.#alive(async (signal) => {
      const name = canonicalReference(reference);
      const [image, record] = [this.mustFind(name), this.#records.byName(name)];
      return pushImage(this.#parts, {
        reference,
        image,
        digest: record?.digest ?? image.manifestDigest,
        auth: await this.#account(reference, o.auth),
        say: o.say,
        signal,
      });
    }, o.signal);
  }

  /** Asks the registry what a reference names now. */
  async resolve(
    reference: Reference,
    o: { readonly auth?: Credentials | undefined; readonly signal?: AbortSignal | undefined },
  ): Promise<{ readonly descriptor: Descriptor; readonly platforms: readonly OciPlatform[] }> {
    return resolveAtRegistry(this.#o.registry, reference, { auth: await this.#account(reference, o.auth), signal: o.signal });
  }

  /** Method 32. */
  search(term: string, o: Parameters<typeof searchAtRegistry>[2]): Promise<RegistrySearchHit[]> {
    return searchAtRegistry(this.#o.registry, term, o);
  }

  /** Method 35. */
  import(tar: Uint8Array | AsyncIterable<Uint8Array>, o: ImportImageOptions): Promise<Image> {
    return this.#alive((signal) => importImage(this.#parts, tar, { ...o, signal }), o.signal);
  }

  /**
   * The image stays while the work runs, whoever removes it; `undefined` when it is gone already. For work that ends in a
   * record of its own, as the creation of a container.
   */
  async holding<T>(id: Digest, work: (image: Image) => Promise<T>): Promise<T | undefined> {
    using _lease = await this.#parts.leases.begin([id]);
    const image = this.get(id);
    return image === undefined ? undefined : await work(image);
  }

  /** Method 26. Throws `not_found`, `conflict`. */
  remove(nameOrId: string, force: boolean): Promise<Removed> {
    return this.#alive(() => removeImage(this.#parts, nameOrId, this.mustFind(nameOrId), force));
  }

  /** To be called when a container is gone: with the last one goes an image whose removal was forced before. */
  removeIfDoomed(imageId: string): Promise<void> {
    return this.#records.isDoomed(imageId) ? this.#alive(() => removeIfDoomed(this.#parts, imageId)) : Promise.resolve();
  }

  /** Method 27. */
  prune(o: PruneImagesOptions): Promise<{ readonly removed: readonly Removed[]; readonly freedBytes: number }> {
    return this.#alive(() => pruneImages(this.#parts, o));
  }

  /** Method 29; `target` has a tag and no digest. Throws `not_found`. */
  tag(source: string, target: Reference): Image {
    const image = this.mustFind(source);
    if (!this.#records.tag(canonicalReference(target), image.id)) throw imageNotFound(source);
    return image;
  }

  mustFind(nameOrId: string): Image {
    const image = this.find(nameOrId);
    if (image === undefined) throw imageNotFound(nameOrId);
    return image;
  }

  /** Unpacked bytes per layer, base first. */
  layerSizes(image: Image): readonly number[] {
    return chainIds(image.config.rootfs.diffIds).map((chainId) => this.#records.snapshotSize(chainId));
  }

  /** Directories of the image's layers, top first as overlayfs wants them; never empty. */
  layerPaths(image: Image): readonly string[] {
    let paths = this.#layerPaths.get(image.id);
    if (paths === undefined) {
      const chain = chainIds(image.config.rootfs.diffIds);
      paths = chain.length === 0 ? [this.#snapshots.empty()] : chain.map((chainId) => this.#snapshots.path(chainId)).reverse();
      this.#layerPaths.set(image.id, paths);
    }
    return paths;
  }

  /** Resolves once what killed pulls left half unpacked is gone; nothing need wait for it. */
  get recovered(): Promise<void> {
    return this.#recovered;
  }

  /** Ends running pulls and waits until what they began is cleaned up. Idempotent. */
  async close(): Promise<void> {
    this.#closed.abort(new BerthError("aborted", "the image store was closed"));
    await Promise.allSettled([this.#recovered, ...this.#running]);
    await this.#pulls.settled();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What somebody's work still held when it became garbage, and what a failure left. */
  async #collectLeftovers(): Promise<void> {
    if (this.#closed.signal.aborted) return;
    await collectGarbage(this.#parts).catch((error: unknown) => this.#o.onWarning?.(`cannot free what no image needs: ${messageOf(error)}`));
  }

  async #account(reference: Reference, inline: Credentials | undefined): Promise<Credentials | undefined> {
    return presentAuth(inline) ?? (await this.#o.resolveCredentials?.(reference.registry));
  }

  async #recover(): Promise<void> {
    this.content.removeDeadSpools();
    await this.#snapshots.recover();
    await this.#parts.leases.removeDead();
    await collectGarbage(this.#parts);
  }

  /** Closing the store waits for it, and aborts what can be aborted. */
  async #alive<T>(work: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const running = work(signal === undefined ? this.#closed.signal : AbortSignal.any([signal, this.#closed.signal]));
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
      await this.#collectLeftovers();
    }
  }

  #begin(reference: Reference, o: PullImageOptions): SharedWork<Pull> {
    const board = new StatusBoard();
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, this.#closed.signal]);
    const result = this.#resolveAndPull(reference, o, board, signal).catch((error: unknown) => {
      throw signal.aborted ? signal.reason : pullError(reference, error, this.#o.root);
    });
    this.#running.add(result);
    result.catch(() => {}).finally(() => this.#running.delete(result));
    const close = async (): Promise<void> => {
      stop.abort();
      await result.catch(() => {});
    };
    return { value: { board, result }, close };
  }

  async #resolveAndPull(reference: Reference, o: PullImageOptions, board: StatusBoard, signal: AbortSignal): Promise<Image> {
    const say: OnPullStatus = (event) => board.say(event);
    const local = o.policy === "newer" ? this.#usable(this.#lookUp(reference, o.platform), o.platform) : undefined;
    let root: Descriptor;
    try {
      root = await this.#o.registry.resolve(reference, { auth: o.auth, signal });
    } catch (error) {
      if (local === undefined || !isUnreachable(error) || signal.aborted) throw error;
      this.#o.onWarning?.(`keeping the local ${canonicalReference(reference)}: ${messageOf(error)}`);
      return local;
    }
    if (local?.repoDigests.includes(`${repositoryName(reference)}@${root.digest}`)) {
      sayResult(say, reference, root, true);
      return local;
    }
    const image = await pullImage(this.#parts, { reference, platform: o.platform, auth: o.auth, signal, say }, root);
    await this.#collectLeftovers();
    return image;
  }

  #lookUp(reference: Reference, platform: OciPlatform | undefined): Image | undefined {
    if (reference.digest === undefined) {
      const named: NameRecord | undefined = this.#records.byName(canonicalReference(reference));
      return named === undefined ? undefined : this.#records.get(named.imageId);
    }
    const ids = this.#records.byDigest(repositoryName(reference), reference.digest);
    const images = ids.map((id) => this.#records.get(id)).filter((image) => image !== undefined);
    return images.find((image) => platform === undefined || platformMatches(platform, image.config)) ?? images[0];
  }

  /** The image when it is for that platform and all of its layers are there. */
  #usable(image: Image | undefined, platform: OciPlatform | undefined): Image | undefined {
    if (image === undefined || (platform !== undefined && !platformMatches(platform, image.config))) return undefined;
    return chainIds(image.config.rootfs.diffIds).every((chainId) => this.#snapshots.has(chainId)) ? image : undefined;
  }
}

/** Everything the outcome depends on. The credentials themselves are not kept. */
function pullKey(reference: Reference, policy: PullPolicy, platform: OciPlatform | undefined, auth: Credentials | undefined): string {
  return sha256(JSON.stringify([canonicalReference(reference), policy, platform ?? null, auth ?? null]));
}

/** Empty user name and password count as absent. */
function presentAuth(auth: Credentials | undefined): Credentials | undefined {
  return auth === undefined || (auth.username === "" && auth.password === "") ? undefined : auth;
}

/** No answer, or one that is no decision about this image. */
function isUnreachable(error: unknown): boolean {
  const status = isBerthError(error) ? error.fields.status : undefined;
  return status === undefined || status === 429 || status >= 500;
}

export function imageNotFound(name: string): BerthError {
  return new BerthError("not_found", `no such image: ${name}; pull it first`, { container: name, image: name, reason: "no such image" });
}

function neverPulled(reference: Reference, platform: OciPlatform | undefined): BerthError {
  const image = canonicalReference(reference);
  const wanted = platform === undefined ? "" : ` for ${platformToString(platform)}`;
  const reason = `${image} is not on this machine${wanted}, and the pull policy is "never"; pull it first`;
  return new BerthError("pull_failed", reason, { image, reason });
}

/** Says which image, once, and keeps what the registry said. */
function pullError(reference: Reference, error: unknown, root: string): BerthError {
  const image = canonicalReference(reference);
  const full = `no space left on the disk that holds ${root}; free some space and pull again`;
  const reason = isDiskFull(error) ? full : messageOf(error);
  const status = isBerthError(error) ? error.fields.status : undefined;
  const message = reason.includes(image) ? reason : `cannot pull ${image}: ${reason}`;
  return new BerthError("pull_failed", message, { image, reason, status, cause: error });
}
