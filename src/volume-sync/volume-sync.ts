/**
 * Volumes in an S3-compatible store (contract 4.4). The archive of a volume is an object named by the digest of its tar, with
 * a JSON object beside it; `heads/<key>.json` says which one a volume is now. Nothing is ever overwritten but heads, and a
 * head only while it is the one this engine has seen last.
 */
import { createHash } from "node:crypto";
import { closeSync, createReadStream, createWriteStream, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress, createZstdDecompress } from "node:zlib";
import { BerthError } from "../errors.ts";
import { acquireLock } from "../internal/acquire-lock.ts";
import type { Database } from "../state/database.ts";
import { type Packed, pack, unpack } from "./archive-jobs.ts";
import { type ObjectStore, StoreFailure } from "./object-store.ts";
import { SyncRecords } from "./records.ts";
import { openS3Store } from "./s3-store.ts";
import type { SyncSettings } from "./settings.ts";
import { upload } from "./upload.ts";

export interface VolumeSyncOptions {
  readonly settings: SyncSettings;
  readonly db: Database;
  /** Private directory for archives on their way. */
  readonly staging: string;
  readonly locks: string;
  /** For tests. Default: S3 by the settings. */
  readonly openStore?: ((settings: SyncSettings) => Promise<ObjectStore>) | undefined;
}

export interface SyncedVolume {
  readonly key: string;
  readonly digest: string;
  /** `false` when the store had it already. */
  readonly uploaded: boolean;
}

interface Call {
  readonly signal?: AbortSignal | undefined;
}

/** What `heads/<key>.json` holds, and the JSON beside an archive. */
interface ArchiveFacts {
  readonly digest: string;
  readonly size_bytes: number;
  readonly compressed_size_bytes: number;
  readonly created_at: string;
  readonly file_count: number;
}

const zstdLevel = 3;

export class VolumeSync {
  readonly records: SyncRecords;
  readonly #o: VolumeSyncOptions;
  #store: Promise<ObjectStore> | undefined;

  constructor(o: VolumeSyncOptions) {
    this.#o = o;
    this.records = new SyncRecords(o.db);
  }

  /** Brings a volume's files to the store. `conflict` when somebody else's are there that this engine has never seen. */
  async sync(key: string, volume: string, directory: string, o: Call = {}): Promise<SyncedVolume> {
    using _lock = await this.#lock(key, o);
    const record = this.records.get(key);
    const now = await pack(directory, undefined, o.signal);
    if (record?.digest === now.digest && record.pending === undefined) return { key, digest: now.digest, uploaded: false };
    const store = await this.#open();
    const head = await this.#head(store, key, o);
    if (head !== undefined && head.digest !== record?.digest && head.digest !== now.digest) throw moved(key);
    const staged = await this.#stage(key, directory, now, o);
    const isThere = await store.exists(this.#archiveKey(staged.digest), o.signal);
    if (!isThere) await this.#upload(store, { key, volume, staged }, o);
    await this.#setHead(store, key, staged, head, o);
    this.records.setSynced(key, volume, staged.digest);
    this.#unstage(key);
    return { key, digest: staged.digest, uploaded: !isThere };
  }

  /** Fills an empty directory with what the store has. `false` when it has nothing. */
  async restore(key: string, volume: string, directory: string, o: Call = {}): Promise<boolean> {
    using _lock = await this.#lock(key, o);
    const store = await this.#open();
    const head = await this.#head(store, key, o);
    if (head === undefined) return false;
    const scratch = this.#scratch(key);
    const tar = join(scratch, "restored.tar");
    try {
      await this.#download(store, head.digest, tar, o);
      await unpack(tar, directory, o.signal);
    } finally {
      rmSync(tar, { force: true });
    }
    this.records.setSynced(key, volume, head.digest);
    this.#unstage(key);
    return true;
  }

  async close(): Promise<void> {
    (await this.#store?.catch(() => undefined))?.close();
  }

  #open(): Promise<ObjectStore> {
    this.#store ??= (this.#o.openStore ?? openS3Store)(this.#o.settings);
    return this.#store;
  }

  /** The compressed archive in the staging directory, under its digest: that of an earlier try if it is the same. */
  async #stage(key: string, directory: string, wanted: Packed, o: Call): Promise<Packed & { readonly file: string }> {
    const scratch = this.#scratch(key);
    const kept = join(scratch, `${wanted.digest}.tar.zst`);
    if (existsSync(kept)) return { ...wanted, file: kept };
    for (const entry of readdirSync(scratch)) rmSync(join(scratch, entry), { force: true });
    const [tar, fresh] = [join(scratch, "new.tar"), join(scratch, "new.tar.zst")];
    try {
      // What a running container changed since then is in it: this digest counts.
      const packed = await pack(directory, tar, o.signal);
      const compress = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: zstdLevel } });
      await pipeline(createReadStream(tar), compress, createWriteStream(fresh, { mode: 0o600 }), { signal: o.signal });
      const file = join(scratch, `${packed.digest}.tar.zst`);
      syncFile(fresh);
      renameSync(fresh, file);
      return { ...packed, file };
    } finally {
      rmSync(tar, { force: true });
      rmSync(fresh, { force: true });
    }
  }

  async #upload(
    store: ObjectStore,
    what: { readonly key: string; readonly volume: string; readonly staged: Packed & { readonly file: string } },
    o: Call,
  ): Promise<void> {
    const { key, volume, staged } = what;
    await upload(store, {
      key: this.#archiveKey(staged.digest),
      file: staged.file,
      digest: staged.digest,
      partBytes: this.#o.settings.partBytes,
      pending: this.records.get(key)?.pending,
      save: (pending) => this.records.setPending(key, volume, pending),
      signal: o.signal,
    });
    await store.put(this.#factsKey(staged.digest), factsText(staged), { signal: o.signal });
  }

  async #setHead(store: ObjectStore, key: string, staged: Packed & { readonly file: string }, before: Head | undefined, o: Call): Promise<void> {
    if (before?.digest === staged.digest) return;
    const condition = before === undefined ? "absent" : { etag: before.etag };
    try {
      await store.put(this.#headKey(key), factsText(staged), { if: condition, signal: o.signal });
    } catch (error) {
      if (error instanceof StoreFailure && error.kind === "moved") throw moved(key);
      throw error;
    }
  }

  async #head(store: ObjectStore, key: string, o: Call): Promise<Head | undefined> {
    const found = await store.read(this.#headKey(key), o.signal);
    if (found === undefined) return undefined;
    const { digest } = parseFacts(await wholeText(found.body), key);
    return { digest, etag: found.etag };
  }

  async #download(store: ObjectStore, digest: string, tar: string, o: Call): Promise<void> {
    const found = await store.read(this.#archiveKey(digest), o.signal);
    if (found === undefined)
      throw new BerthError("internal", `the store has no archive ${digest}, which a volume there names; sync it again from where it was`);
    const hash = createHash("sha256");
    const hashing = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      for await (const chunk of chunks) {
        hash.update(chunk);
        yield chunk;
      }
    };
    await pipeline(Readable.from(found.body), createZstdDecompress(), hashing, createWriteStream(tar, { mode: 0o600 }), { signal: o.signal });
    const actual = hash.digest("hex");
    if (actual !== digest) throw new BerthError("internal", `the archive ${digest} in the store is damaged: its digest is ${actual}`);
  }

  #archiveKey(digest: string): string {
    return `${this.#o.settings.prefix}${digest}.tar.zst`;
  }

  #factsKey(digest: string): string {
    return `${this.#o.settings.prefix}${digest}.json`;
  }

  #headKey(key: string): string {
    return `${this.#o.settings.prefix}heads/${key}.json`;
  }

  #scratch(key: string): string {
    const path = join(this.#o.staging, shortName(key));
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  }

  #unstage(key: string): void {
    rmSync(join(this.#o.staging, shortName(key)), { recursive: true, force: true });
  }

  async #lock(key: string, o: Call): Promise<Disposable> {
    const lock = await acquireLock(join(this.#o.locks, `sync-${shortName(key)}`), o);
    return { [Symbol.dispose]: () => lock.releaseAndDelete() };
  }
}

/** A key may be longer than the name of a file can be. */
function shortName(key: string): string {
  return createHash("sha256").update(key).digest("hex").slice(0, 32);
}

interface Head {
  readonly digest: string;
  readonly etag: string;
}

function moved(key: string): BerthError {
  return new BerthError(
    "conflict",
    `the store has a newer ${key} than this engine knows; nothing was written. Remove the volume here to take that one, or the head there to replace it`,
  );
}

function factsText({ digest, sizeBytes, fileCount, file }: Packed & { readonly file: string }): string {
  const facts: ArchiveFacts = {
    digest,
    size_bytes: sizeBytes,
    compressed_size_bytes: statSync(file).size,
    created_at: new Date().toISOString(),
    file_count: fileCount,
  };
  return `${JSON.stringify(facts)}\n`;
}

function parseFacts(text: string, key: string): Pick<ArchiveFacts, "digest"> {
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === "object" && json !== null && "digest" in json && typeof json.digest === "string" && /^[0-9a-f]{64}$/.test(json.digest)) {
      return { digest: json.digest };
    }
  } catch {
    // Said below.
  }
  throw new BerthError("internal", `the head of ${key} in the store is damaged`);
}

const maxFactsBytes = 65_536;

async function wholeText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxFactsBytes) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function syncFile(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
