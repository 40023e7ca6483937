/**
 * Bytes by their digest (DESIGN section 3). A blob appears under its digest by rename, after size and digest were
 * checked and its data is on disk; what is being written is an *ingest*, a file that stays when a download stops so
 * that the next one, of whichever process, goes on from there.
 */
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BerthError, DigestMismatchError } from "../errors.ts";
import { acquireLock } from "../internal/acquire-lock.ts";
import { FileLock } from "../internal/file-lock.ts";
import { type Digest, digestAlgorithm, digestHex } from "../spec/digest.ts";
import { digestOf, Ingest } from "./ingest.ts";
import { keepSpools, Spool, type SpooledBlob } from "./spool.ts";

/** What is known of a blob before it is there. */
export interface Expected {
  readonly digest: Digest;
  readonly size: number;
}

export interface ContentStore {
  has(digest: Digest): boolean;
  /** Where the blob lies, or would lie. */
  path(digest: Digest): string;
  /** Bytes of a small blob, checked against the digest. `not_found` when it is not there, `internal` when it is damaged. */
  read(digest: Digest): Promise<Uint8Array>;
  /** Bytes of the blob's file. Throws `not_found`. */
  size(digest: Digest): number;
  /**
   * Begins or resumes writing a blob; `undefined` when it is there already. While another caller, in this process or
   * another, writes the same blob, this waits for it. An abort while waiting rejects with the signal's reason.
   */
  ingest(expected: Expected, o?: { readonly signal?: AbortSignal | undefined }): Promise<Ingest | undefined>;
  /** Stores bytes that are all here. Throws `pull_failed` when they are not what `expected` says. */
  put(expected: Expected, bytes: Uint8Array): Promise<void>;
  /** Begins a blob whose digest is not known yet. */
  spool(): Promise<Spool>;
  /** Makes spools blobs; their data must be on disk. */
  keep(blobs: readonly SpooledBlob[]): Promise<void>;
  /** All blobs that are there. */
  list(): Digest[];
  /** Milliseconds since 1970 of the blob's last change; `undefined` when it is not there. */
  changedAt(digest: Digest): number | undefined;
  /** Answers the bytes freed. */
  remove(digest: Digest): number;
  /** Removes partial downloads nobody has written to for `olderThanMs`. Answers the bytes freed. */
  removeStaleIngests(olderThanMs: number): number;
  /** Removes spools whose process is gone. */
  removeDeadSpools(): void;
}

const spoolPrefix = "spool-";

export function openContentStore(root: string): ContentStore {
  const blobs = join(root, "content", "blobs");
  const ingests = join(root, "content", "ingest");
  for (const path of [join(blobs, "sha256"), join(blobs, "sha512"), ingests]) mkdirSync(path, { recursive: true, mode: 0o700 });
  return new FileContentStore(blobs, ingests);
}

class FileContentStore implements ContentStore {
  readonly #blobs: string;
  readonly #ingests: string;

  constructor(blobs: string, ingests: string) {
    this.#blobs = blobs;
    this.#ingests = ingests;
  }

  has(digest: Digest): boolean {
    return existsSync(this.path(digest));
  }

  path(digest: Digest): string {
    return join(this.#blobs, digestAlgorithm(digest), digestHex(digest));
  }

  size(digest: Digest): number {
    const stats = statSync(this.path(digest), { throwIfNoEntry: false });
    if (stats === undefined) throw notStored(digest);
    return stats.size;
  }

  async read(digest: Digest): Promise<Uint8Array> {
    if (!this.has(digest)) throw notStored(digest);
    const bytes = await readFile(this.path(digest));
    const actual = digestOf(digest, bytes);
    if (actual === digest) return bytes;
    throw new BerthError("internal", `the stored blob ${digest} is damaged (its bytes are ${actual}); remove ${this.path(digest)} and pull again`);
  }

  async ingest(expected: Expected, o: { readonly signal?: AbortSignal | undefined } = {}): Promise<Ingest | undefined> {
    const path = join(this.#ingests, digestHex(expected.digest));
    if (this.has(expected.digest)) return undefined;
    const lock = await acquireLock(path, o);
    // Its former owner may have finished it while we waited.
    if (this.has(expected.digest)) {
      lock.releaseAndDelete();
      return undefined;
    }
    try {
      return await Ingest.open({ path, lock, expected, target: this.path(expected.digest) });
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  async put(expected: Expected, bytes: Uint8Array): Promise<void> {
    const actual = digestOf(expected.digest, bytes);
    if (actual !== expected.digest) throw new DigestMismatchError("content", { expected: expected.digest, actual });
    const ingest = await this.ingest(expected);
    if (ingest === undefined) return;
    try {
      await ingest.restart();
      await ingest.write(bytes);
      await ingest.commit();
    } finally {
      await ingest.close();
    }
  }

  async spool(): Promise<Spool> {
    const path = join(this.#ingests, `${spoolPrefix}${randomUUID()}`);
    const lock = await acquireLock(path);
    try {
      return await Spool.open(path, lock);
    } catch (error) {
      lock.releaseAndDelete();
      throw error;
    }
  }

  keep(blobs: readonly SpooledBlob[]): Promise<void> {
    return keepSpools(
      blobs,
      (digest) => this.path(digest),
      (digest) => this.has(digest),
    );
  }

  list(): Digest[] {
    return (["sha256", "sha512"] as const).flatMap((algorithm) => readdirSync(join(this.#blobs, algorithm)).map((hex) => `${algorithm}:${hex}` as Digest));
  }

  changedAt(digest: Digest): number | undefined {
    return statSync(this.path(digest), { throwIfNoEntry: false })?.mtimeMs;
  }

  remove(digest: Digest): number {
    const stats = statSync(this.path(digest), { throwIfNoEntry: false });
    rmSync(this.path(digest), { force: true });
    return stats?.size ?? 0;
  }

  removeDeadSpools(): void {
    for (const name of readdirSync(this.#ingests)) {
      if (name.startsWith(spoolPrefix)) FileLock.tryAcquire(join(this.#ingests, name))?.releaseAndDelete();
    }
  }

  removeStaleIngests(olderThanMs: number): number {
    let freed = 0;
    for (const name of readdirSync(this.#ingests)) {
      const path = join(this.#ingests, name);
      const stats = statSync(path, { throwIfNoEntry: false });
      if (stats === undefined || Date.now() - stats.mtimeMs < olderThanMs) continue;
      const lock = FileLock.tryAcquire(path);
      if (lock === undefined) continue;
      freed += stats.size;
      lock.releaseAndDelete();
    }
    return freed;
  }
}

function notStored(digest: Digest): BerthError {
  return new BerthError("not_found", `blob ${digest} is not in the content store`);
}
