/**
 * Unpacked layers on disk: `<root>/snapshots/<chain id>/fs`, one directory per layer, shared read-only. A layer is
 * unpacked at `<chain id>.tmp`, under the lock `<chain id>.lock`, and appears by rename; it counts once it is recorded.
 */
import { randomBytes } from "node:crypto";
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { acquireLock } from "../internal/acquire-lock.ts";
import { FileLock } from "../internal/file-lock.ts";
import { type Digest, digestHex, sha256 } from "../spec/digest.ts";

const rootMode = 0o755;

export interface SnapshotRecords {
  has(chainId: Digest): boolean;
}

export class SnapshotStore {
  readonly root: string;
  readonly #records: SnapshotRecords;
  readonly #removeTree: (path: string) => Promise<void>;

  constructor(root: string, records: SnapshotRecords, removeTree: (path: string) => Promise<void>) {
    this.root = join(root, "snapshots");
    this.#records = records;
    this.#removeTree = removeTree;
    mkdirSync(this.root, { recursive: true, mode: 0o700 });
  }

  /** The layer's files. */
  path(chainId: Digest): string {
    return join(this.root, digestHex(chainId), "fs");
  }

  /** An empty directory, for images without layers. */
  empty(): string {
    const path = join(this.root, "empty", "fs");
    mkdirSync(path, { recursive: true, mode: rootMode });
    return path;
  }

  has(chainId: Digest): boolean {
    return this.#records.has(chainId) && existsSync(this.path(chainId));
  }

  /** `undefined` when the layer is there. While another process unpacks it, this waits. */
  async begin(chainId: Digest, signal: AbortSignal): Promise<PendingSnapshot | undefined> {
    if (this.has(chainId)) return undefined;
    const base = join(this.root, digestHex(chainId));
    const lock = await acquireLock(`${base}.lock`, { signal });
    if (this.has(chainId)) {
      lock.releaseAndDelete();
      return undefined;
    }
    const pending = new PendingSnapshot(base, lock, this.#removeTree);
    try {
      await pending.reset();
      return pending;
    } catch (error) {
      lock.releaseAndDelete();
      throw error;
    }
  }

  /** A layer whose place in an image is not known yet; {@link PendingSnapshot.adopt} gives it one. */
  async beginUnnamed(): Promise<PendingSnapshot> {
    const base = join(this.root, `unnamed-${randomBytes(16).toString("hex")}`);
    const pending = new PendingSnapshot(base, await acquireLock(`${base}.lock`), this.#removeTree);
    await pending.reset();
    return pending;
  }

  /**
   * Removes a layer for good. `undefined` when somebody is at work on it; else it is out of sight already, and the answer
   * removes its files.
   */
  beginRemoval(chainId: Digest, forget: () => void): (() => Promise<void>) | undefined {
    const base = join(this.root, digestHex(chainId));
    const lock = FileLock.tryAcquire(`${base}.lock`);
    if (lock === undefined) return undefined;
    forget();
    return () => new PendingSnapshot(base, lock, this.#removeTree, { isPublished: true }).close();
  }

  /** Makes renames durable. */
  syncNames(): void {
    const fd = openSync(this.root, "r");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** Removes what dead processes left: half-unpacked layers, layers without a record, locks nobody holds. */
  async recover(): Promise<void> {
    // Whatever is unfinished has its lock file beside it: that is made first and removed last.
    const locks = readdirSync(this.root).filter((name) => name.endsWith(".lock"));
    for (const name of locks) await this.#recoverOne(name.slice(0, -".lock".length));
  }

  async #recoverOne(hex: string): Promise<void> {
    const base = join(this.root, hex);
    const lock = FileLock.tryAcquire(`${base}.lock`);
    if (lock === undefined) return;
    try {
      if (existsSync(`${base}.tmp`)) await this.#removeTree(`${base}.tmp`);
      if (existsSync(base) && !this.#records.has(`sha256:${hex}` as Digest)) await this.#removeTree(base);
    } finally {
      lock.releaseAndDelete();
    }
  }
}

/** A layer being unpacked by us. */
export class PendingSnapshot {
  readonly #base: string;
  readonly #lock: FileLock;
  readonly #removeTree: (path: string) => Promise<void>;
  #isPublished = false;
  #isRecorded = false;

  constructor(base: string, lock: FileLock, removeTree: (path: string) => Promise<void>, o: { readonly isPublished: boolean } = { isPublished: false }) {
    this.#base = base;
    this.#lock = lock;
    this.#removeTree = removeTree;
    this.#isPublished = o.isPublished;
  }

  get directory(): string {
    return join(`${this.#base}.tmp`, "fs");
  }

  /** An empty directory, whatever was there. */
  async reset(): Promise<void> {
    for (const path of [`${this.#base}.tmp`, this.#base]) if (existsSync(path)) await this.#removeTree(path);
    mkdirSync(this.directory, { recursive: true, mode: rootMode });
  }

  /** Whether another one took its files. */
  isEmptied = false;

  /** Takes the files of another one. */
  async adopt(other: PendingSnapshot): Promise<void> {
    other.isEmptied = true;
    await this.#removeTree(`${this.#base}.tmp`);
    renameSync(`${other.#base}.tmp`, `${this.#base}.tmp`);
  }

  /** Renames the layer to where it belongs. Its data must be on disk. Idempotent. */
  publish(): void {
    if (this.#isPublished) return;
    renameSync(`${this.#base}.tmp`, this.#base);
    this.#isPublished = true;
  }

  /** The record is written: from here on the layer stays. */
  keep(): void {
    this.#isRecorded = true;
  }

  /** Frees the lock, and removes what was not kept; what cannot be removed is left to {@link SnapshotStore.recover}. */
  async close(): Promise<void> {
    try {
      if (!this.#isRecorded) await this.#removeTree(this.#isPublished ? this.#base : `${this.#base}.tmp`);
      this.#lock.releaseAndDelete();
    } catch {
      // With its lock file still there, the next one to open the store finds it.
      this.#lock.release();
    }
  }
}

/** Identities of the stacks of layers, base first (image-spec config.md "Layer ChainID"). */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : sha256(`${below} ${diffId}`));
  }
  return chain;
}
