import { constants } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { FileLock } from "../internal/file-lock.ts";
import type { Digest } from "../spec/digest.ts";
import { syncDirectory } from "./ingest.ts";

const batchBytes = 512 * 1024;

/**
 * A blob being written whose digest nobody knows yet: of an archive, a commit, an import. It cannot be resumed; what a
 * dead process left is removed by the next one.
 */
export class Spool implements AsyncDisposable {
  readonly path: string;
  readonly #lock: FileLock;
  readonly #file: FileHandle;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #written = 0;
  #isOpen = true;
  #isKept = false;

  private constructor(path: string, lock: FileLock, file: FileHandle) {
    this.path = path;
    this.#lock = lock;
    this.#file = file;
  }

  /** `lock` is held on the file itself. */
  static async open(path: string, lock: FileLock): Promise<Spool> {
    return new Spool(path, lock, await open(path, constants.O_RDWR));
  }

  /** Bytes that are in the file: how far another reader may follow it. */
  get written(): number {
    return this.#written;
  }

  /** The bytes must stay as they are until the next {@link flush}. Answers whether it is time for one. */
  add(bytes: Uint8Array): boolean {
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    return this.#pendingBytes >= batchBytes;
  }

  async flush(): Promise<void> {
    if (this.#pendingBytes === 0) return;
    const [chunks, total] = [this.#pending, this.#pendingBytes];
    this.#pending = [];
    this.#pendingBytes = 0;
    const { bytesWritten } = await this.#file.writev(chunks, this.#written);
    // A disk that fills up takes a part; writing the rest tells why.
    const rest = bytesWritten < total ? Buffer.concat(chunks).subarray(bytesWritten) : Buffer.alloc(0);
    for (let at = 0; at < rest.length; ) {
      at += (await this.#file.write(rest, at, rest.length - at, this.#written + bytesWritten + at)).bytesWritten;
    }
    this.#written += total;
  }

  /** Puts the data on disk. Not needed where the whole file system is synced. */
  async sync(): Promise<void> {
    await this.flush();
    await this.#file.datasync();
  }

  /** Makes it the blob of that digest, which the caller has computed. Its data must be on disk, and the name is after {@link syncDirectory}. */
  async keepAs(target: string): Promise<void> {
    await rename(this.path, target);
    this.#isKept = true;
  }

  /** Removes what was not kept. Idempotent. */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      await this.#file.close();
      if (!this.#isKept) await rm(this.path, { force: true });
    } finally {
      this.#lock.release();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** A spool that holds a whole blob, and where it belongs. */
export interface SpooledBlob {
  readonly spool: Spool;
  readonly digest: Digest;
}

/** Names all of them, then makes the names durable. What is there already stays. */
export async function keepSpools(blobs: readonly SpooledBlob[], target: (digest: Digest) => string, has: (digest: Digest) => boolean): Promise<void> {
  const fresh = blobs.filter(({ digest }) => !has(digest));
  for (const { spool, digest } of fresh) await spool.keepAs(target(digest));
  for (const directory of new Set(fresh.map(({ digest }) => dirname(target(digest))))) await syncDirectory(directory);
}
