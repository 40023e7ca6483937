/**
 * The images of this machine (contract 2.6 and 4.8): pulled from registries, kept as blobs, unpacked
 * as snapshots, named in the state store. Several processes may have one store open.
 */
import { availableParallelism } from "node:os";
import { openContentStore, type ContentStore } from "../content/content-store.ts";
import { BerthError, messageOf } from "../errors.ts";
import type { Credentials, RegistryClient, RegistrySearchHit } from "../registry/types.ts";
import type { Descriptor } from "../spec/descriptor.ts";
import type { Digest } from "../spec/digest.ts";
import type { ImageConfig } from "../spec/image-config.ts";
import type { OciPlatform } from "../spec/platform.ts";
import { canonicalReference, type Reference } from "../spec/reference.ts";
import type { Database } from "../state/database.ts";
import { resolveAtRegistry, searchAtRegistry } from "./ask-registry.ts";
import { BlobDownloads } from "./blob-downloads.ts";
import { collectGarbage } from "./collect-garbage.ts";
import { ContentLeases } from "./content-leases.ts";
import { type CreateImageOptions, createImage } from "./create-image.ts";
import { findImage } from "./find-image.ts";
import { type Image, type ImageEvent, ImageRecords } from "./image-records.ts";
import { type ImportImageOptions, importImage } from "./import-image.ts";
import { LayerUnpacking } from "./layer-unpacking.ts";
import { type LoadOptions, loadImages } from "./load-images.ts";
import { imagesToSave, type SavedImage, saveImages } from "./save-images.ts";
import { Limiter } from "./limiter.ts";
import type { OnPullStatus } from "./pull-progress.ts";
import { pushImage } from "./push-image.ts";
import { type PullImageOptions, Pulls } from "./pulls.ts";
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

export function openImageStore(o: ImageStoreOptions): ImageStore {
  return new ImageStore(o);
}

export class ImageStore {
  readonly content: ContentStore;
  readonly #o: ImageStoreOptions;
  readonly #parts: StoreParts;
  readonly #records: ImageRecords;
  readonly #snapshots: SnapshotStore;
  readonly #pulls: Pulls;
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
    this.#pulls = new Pulls({
      parts: this.#parts,
      closed: this.#closed.signal,
      account: (reference, inline) => this.#account(reference, inline),
      collect: () => this.#collectLeftovers(),
      onWarning: o.onWarning,
    });
    this.#recovered = this.#recover().catch((error: unknown) => o.onWarning?.(`cannot remove what an earlier process left: ${messageOf(error)}`));
  }

  /** Makes sure the image is there as the policy says (contract 1.4), and answers it. Throws `pull_failed`. */
  pull(reference: Reference, o: PullImageOptions): Promise<Image> {
    return this.#pulls.pull(reference, o);
  }

  /** By reference, by id or by at least 12 digits of it. Throws `invalid_spec` for a malformed name or an ambiguous id. */
  find(nameOrId: string): Image | undefined {
    return findImage(this.#records, nameOrId);
  }

  get(id: string): Image | undefined {
    return this.#records.get(id);
  }

  /** The config of an image by its id: it is the same for ever, and so remembered. */
  configOf(id: string): ImageConfig | undefined {
    return this.#records.configOf(id);
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
}

/** Empty user name and password count as absent. */
function presentAuth(auth: Credentials | undefined): Credentials | undefined {
  return auth === undefined || (auth.username === "" && auth.password === "") ? undefined : auth;
}

export function imageNotFound(name: string): BerthError {
  return new BerthError("not_found", `no such image: ${name}; pull it first`, { container: name, image: name, reason: "no such image" });
}
