/**
 * The image store's tables. A reference is always in canonical form (contract 0.4).
 *
 * An image goes in two steps, so that a crash between them loses nothing and leaves nothing: its rows are deleted and its
 * digests noted in `image_garbage` by one transaction, then what nobody else needs of them is removed from the disk.
 */
import { BerthError } from "../errors.ts";
import type { Digest } from "../spec/digest.ts";
import { type ImageConfig, parseImageConfig } from "../spec/image-config.ts";
import { type Database, transaction, unsynced } from "../state/database.ts";

export const imagesSchema = `
  create table if not exists images (
    id text primary key,
    manifest_digest text not null,
    config text not null,
    chain_id text,
    size_bytes integer not null,
    pulled_at integer not null
  ) strict;
  create table if not exists image_names (
    reference text primary key,
    image_id text not null references images (id),
    digest text not null
  ) strict;
  create index if not exists image_names_by_image on image_names (image_id);
  create table if not exists image_digests (
    repository text not null,
    digest text not null,
    image_id text not null references images (id),
    primary key (repository, digest, image_id)
  ) strict;
  create index if not exists image_digests_by_image on image_digests (image_id);
  create table if not exists snapshots (
    chain_id text primary key,
    parent text,
    diff_id text not null,
    size_bytes integer not null
  ) strict;
  create table if not exists image_blobs (
    image_id text not null references images (id),
    digest text not null,
    primary key (image_id, digest)
  ) strict, without rowid;
  create table if not exists doomed_images (image_id text primary key references images (id)) strict;
  create table if not exists image_garbage (digest text primary key) strict;
`;

/** An image of the local store. */
export interface Image {
  /** Digest of the image config. */
  readonly id: Digest;
  /** Digest of the manifest of this image's platform. */
  readonly manifestDigest: Digest;
  readonly config: ImageConfig;
  /** Identity of all layers together; absent for an image without layers. */
  readonly chainId?: Digest | undefined;
  /** Unpacked size of all layers. */
  readonly sizeBytes: number;
  /** Canonical references with a tag, sorted. */
  readonly names: readonly string[];
  /** `repository@digest`, as the registry names the image or the index it came from; sorted. */
  readonly repoDigests: readonly string[];
  readonly pulledAt: Date;
}

export interface NewSnapshot {
  readonly chainId: Digest;
  readonly parent: Digest | undefined;
  readonly diffId: Digest;
  readonly sizeBytes: number;
}

export interface NewImage {
  readonly id: Digest;
  readonly manifestDigest: Digest;
  readonly config: Uint8Array;
  readonly chainIds: readonly Digest[];
  /** What was unpacked for it, as far as it was not there. */
  readonly snapshots: readonly NewSnapshot[];
  /** Every blob it needs: manifest, config, layers, and the index it came by. */
  readonly blobs: readonly Digest[];
  /** Canonical references with a tag that mean it from now on. */
  readonly names: readonly string[];
  /** What its names resolve to: the digest of an index or of a manifest. */
  readonly digest: Digest;
  /** Where `digest` can be asked for; absent when it came from no registry. */
  readonly repository?: string | undefined;
  /** What is told of it, in Docker's words. */
  readonly events: readonly Pick<ImageEvent, "action" | "name">[];
}

/** Something that happened to an image, told as a part of the transaction that records it. */
export interface ImageEvent {
  readonly action: string;
  readonly id: Digest;
  /** The reference it is about. */
  readonly name?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/** How a name stands now. */
export interface NameRecord {
  readonly imageId: Digest;
  readonly digest: Digest;
}

type Row = Readonly<Record<string, unknown>>;

export class ImageRecords {
  readonly #db: Database;
  readonly #configs = new Map<string, ImageConfig>();
  readonly #statements = new Map<string, ReturnType<Database["prepare"]>>();

  readonly #onEvent: (event: ImageEvent) => void;

  constructor(db: Database, onEvent: (event: ImageEvent) => void = () => {}) {
    this.#db = db;
    this.#onEvent = onEvent;
  }

  /** Within {@link atomically} as a part of it. */
  tell(action: string, image: Image, name?: string): void {
    this.#onEvent({ action, id: image.id, name, labels: image.config.config.labels });
  }

  get(id: string): Image | undefined {
    const row = this.#one("select * from images where id = ?", id);
    return row === undefined ? undefined : this.#image(row);
  }

  /** Without a look at anything else of the image. */
  configOf(id: string): ImageConfig | undefined {
    const known = this.#configs.get(id);
    if (known !== undefined) return known;
    const row = this.#one("select id, config from images where id = ?", id);
    return row === undefined ? undefined : this.#config(digest(row.id), String(row.config));
  }

  list(): Image[] {
    return this.#all("select * from images order by id").map((row) => this.#image(row));
  }

  byName(reference: string): NameRecord | undefined {
    const row = this.#one("select image_id, digest from image_names where reference = ?", reference);
    return row === undefined ? undefined : { imageId: digest(row.image_id), digest: digest(row.digest) };
  }

  /** Ids of the images a repository names by this digest; several when an index was pulled for several platforms. */
  byDigest(repository: string, wanted: Digest): Digest[] {
    const rows = this.#all("select image_id from image_digests where repository = ? and digest = ? order by rowid desc", repository, wanted);
    return rows.map((row) => digest(row.image_id));
  }

  /** Ids that begin with `sha256:` and these digits; at most two, which is enough to know that they are ambiguous. */
  byPrefix(hex: string): Digest[] {
    const rows = this.#all("select id from images where id >= ? and id < ? limit 2", `sha256:${hex}`, `sha256:${hex}g`);
    return rows.map((row) => digest(row.id));
  }

  hasSnapshot(chainId: Digest): boolean {
    return this.#one("select 1 as found from snapshots where chain_id = ?", chainId) !== undefined;
  }

  /** Everything a pull, load, import or commit acknowledges, at once: the layers, the images, and the names that now mean them. */
  add(...images: readonly NewImage[]): void {
    transaction(this.#db, () => {
      for (const image of images) this.#add(image);
    });
  }

  #add(image: NewImage): void {
    for (const s of image.snapshots) {
      this.#run("insert or ignore into snapshots values (?, ?, ?, ?)", s.chainId, s.parent ?? null, s.diffId, s.sizeBytes);
    }
    const sizes = image.chainIds.map((chainId) => this.snapshotSize(chainId));
    this.#run(
      `insert into images values (?, ?, ?, ?, ?, ?)
       on conflict (id) do update set manifest_digest = excluded.manifest_digest, pulled_at = excluded.pulled_at`,
      image.id,
      image.manifestDigest,
      Buffer.from(image.config).toString(),
      image.chainIds.at(-1) ?? null,
      sizes.reduce((total, bytes) => total + bytes, 0),
      Date.now(),
    );
    this.#run("delete from doomed_images where image_id = ?", image.id);
    for (const name of image.names) this.#setName(name, image.id, image.digest);
    for (const blob of image.blobs) {
      this.#run("insert or ignore into image_blobs values (?, ?)", image.id, blob);
      this.#run("delete from image_garbage where digest = ?", blob);
    }
    if (image.repository !== undefined) this.addDigest(image.repository, image.digest, image.id);
    const added = this.get(image.id);
    if (added !== undefined) for (const { action, name } of image.events) this.tell(action, added, name);
  }

  /** Moves a name; `false` when the image is not there any more. */
  tag(name: string, id: Digest): boolean {
    return transaction(this.#db, () => {
      const row = this.#one("select manifest_digest from images where id = ?", id);
      if (row === undefined) return false;
      this.#run("delete from doomed_images where image_id = ?", id);
      if (this.byName(name)?.imageId !== id) this.#setName(name, id, digest(row.manifest_digest));
      const image = this.get(id);
      if (image !== undefined) this.tell("tag", image, name);
      return true;
    });
  }

  addDigest(repository: string, of: Digest, id: Digest): void {
    this.#run("insert or ignore into image_digests values (?, ?, ?)", repository, of, id);
  }

  /** Reads and changes as one; `change` decides by what it reads. */
  atomically<T>(change: () => T): T {
    return transaction(this.#db, change);
  }

  /** Takes names from an image; only within {@link atomically}. */
  untag(names: readonly string[]): void {
    for (const name of names) this.#run("delete from image_names where reference = ?", name);
  }

  /** All names and digests go, and the image itself with its last container; only within {@link atomically}. */
  doom(id: Digest): void {
    this.#run("delete from image_names where image_id = ?", id);
    this.#run("delete from image_digests where image_id = ?", id);
    this.#run("insert or ignore into doomed_images values (?)", id);
  }

  isDoomed(id: string): boolean {
    return this.#one("select 1 as found from doomed_images where image_id = ?", id) !== undefined;
  }

  /** The image is no more; what it needed is garbage unless others need it. Only within {@link atomically}. */
  delete(id: Digest, needed: readonly Digest[]): void {
    for (const needs of needed) this.#run("insert or ignore into image_garbage values (?)", needs);
    for (const table of ["image_names", "image_digests", "image_blobs", "doomed_images"]) this.#run(`delete from ${table} where image_id = ?`, id);
    this.#run("delete from images where id = ?", id);
    this.#configs.delete(id);
  }

  /** What nobody needs unless a record to come says otherwise. Outlives this process, if not a power cut. */
  noteGarbage(digests: readonly Digest[]): void {
    unsynced(this.#db, () => {
      for (const one of digests) this.#run("insert or ignore into image_garbage values (?)", one);
    });
  }

  garbage(): Digest[] {
    return this.#all("select digest from image_garbage").map((row) => digest(row.digest));
  }

  /** What is garbage no longer: removed, or needed after all. */
  forgetGarbage(digests: readonly Digest[]): void {
    if (digests.length === 0) return;
    unsynced(this.#db, () => {
      for (const one of digests) this.#run("delete from image_garbage where digest = ?", one);
    });
  }

  /** Blobs of the image as far as they were noted: images of an older berth have none. */
  blobs(id: Digest): Digest[] {
    return this.#all("select digest from image_blobs where image_id = ?", id).map((row) => digest(row.digest));
  }

  /** The config as it was given. */
  configText(id: Digest): string {
    return String(this.#one("select config from images where id = ?", id)?.config ?? "");
  }

  /** Unpacked bytes of one layer. */
  snapshotSize(chainId: Digest): number {
    return Number(this.#one("select size_bytes from snapshots where chain_id = ?", chainId)?.size_bytes ?? 0);
  }

  snapshots(): Digest[] {
    return this.#all("select chain_id from snapshots").map((row) => digest(row.chain_id));
  }

  deleteSnapshot(chainId: Digest): void {
    this.#run("delete from snapshots where chain_id = ?", chainId);
  }

  #setName(name: string, id: Digest, of: Digest): void {
    this.#run(
      `insert into image_names values (?, ?, ?)
       on conflict (reference) do update set image_id = excluded.image_id, digest = excluded.digest`,
      name,
      id,
      of,
    );
  }

  #image(row: Row): Image {
    const id = digest(row.id);
    return {
      id,
      manifestDigest: digest(row.manifest_digest),
      config: this.#config(id, String(row.config)),
      chainId: row.chain_id === null ? undefined : digest(row.chain_id),
      sizeBytes: Number(row.size_bytes),
      names: this.#all("select reference from image_names where image_id = ? order by reference", id).map((name) => String(name.reference)),
      repoDigests: this.#all("select repository, digest from image_digests where image_id = ? order by repository, digest", id).map(
        (entry) => `${String(entry.repository)}@${String(entry.digest)}`,
      ),
      pulledAt: new Date(Number(row.pulled_at)),
    };
  }

  /** An id is the digest of its config, so what was parsed once stays right. */
  #config(id: Digest, text: string): ImageConfig {
    let config = this.#configs.get(id);
    if (config === undefined) {
      config = parseImageConfig(Buffer.from(text));
      this.#configs.set(id, config);
    }
    return config;
  }

  #prepare(sql: string): ReturnType<Database["prepare"]> {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #one(sql: string, ...parameters: readonly string[]): Row | undefined {
    return this.#prepare(sql).get(...parameters);
  }

  #all(sql: string, ...parameters: readonly string[]): Row[] {
    return this.#prepare(sql).all(...parameters);
  }

  #run(sql: string, ...parameters: readonly (string | number | null)[]): void {
    this.#prepare(sql).run(...parameters);
  }
}

/** What we wrote into the tables ourselves was checked then. */
function digest(value: unknown): Digest {
  if (typeof value !== "string") throw new BerthError("internal", "the image tables hold something that is no digest");
  return value as Digest;
}
