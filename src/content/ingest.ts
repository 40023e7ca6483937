import { createHash, type Hash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { BerthError, DigestMismatchError } from "../errors.ts";
import type { FileLock } from "../internal/file-lock.ts";
import { type Digest, digestAlgorithm } from "../spec/digest.ts";

/** Socket chunks are gathered to this size: a write costs a trip to the thread pool. */
const batchBytes = 512 * 1024;
const rehashBytes = 1024 * 1024;

interface Place {
  readonly path: string;
  readonly target: string;
  readonly lock: FileLock;
  readonly expected: { readonly digest: Digest; readonly size: number };
}

/** A blob being written. Exactly one exists per blob, over all processes. Close it, committed or not. */
export class Ingest implements AsyncDisposable {
  readonly #place: Place;
  readonly #file: FileHandle;
  #hash: Hash;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #written = 0;
  #isOpen = true;
  #isGone = false;

  private constructor(place: Place, file: FileHandle) {
    this.#place = place;
    this.#file = file;
    this.#hash = createHash(digestAlgorithm(place.expected.digest));
  }

  /** What an earlier ingest left is read and hashed, and counts as written. */
  static async open(place: Place): Promise<Ingest> {
    const ingest = new Ingest(place, await open(place.path, constants.O_RDWR));
    try {
      await ingest.#resume();
    } catch (error) {
      await ingest.#file.close();
      throw error;
    }
    return ingest;
  }

  /** The file being written; another reader may follow it up to {@link written}. */
  get path(): string {
    return this.#place.path;
  }

  /** Bytes that are in the file and hashed: where a download goes on. */
  get written(): number {
    return this.#written;
  }

  /** Takes the next bytes; they are in the file once {@link written} says so. Throws `pull_failed` when they are too many. */
  async write(bytes: Uint8Array): Promise<void> {
    const { digest, size } = this.#place.expected;
    if (this.#written + this.#pendingBytes + bytes.length > size) {
      await this.restart();
      throw new DigestMismatchError(`size of blob ${digest}`, { expected: `${size} bytes`, actual: "more" });
    }
    this.#hash.update(bytes);
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes >= batchBytes) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#pendingBytes === 0) return;
    const [chunks, total] = [this.#pending, this.#pendingBytes];
    this.#pending = [];
    this.#pendingBytes = 0;
    const { bytesWritten } = await this.#file.writev(chunks, this.#written);
    // A disk that fills up takes a part; writing the rest tells why.
    if (bytesWritten < total) await this.#writeRest(Buffer.concat(chunks), bytesWritten);
    this.#written += total;
  }

  async #writeRest(bytes: Buffer, from: number): Promise<void> {
    for (let at = from; at < bytes.length; ) {
      at += (await this.#file.write(bytes, at, bytes.length - at, this.#written + at)).bytesWritten;
    }
  }

  /** Forgets everything written so far. */
  async restart(): Promise<void> {
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#written = 0;
    this.#hash = createHash(digestAlgorithm(this.#place.expected.digest));
    await this.#file.truncate(0);
  }

  /**
   * Checks size and digest, puts the data on disk and makes the blob visible. Throws `pull_failed`: for missing bytes,
   * which keeps what is there for the next attempt, and for a wrong digest, which throws it away.
   */
  async commit(): Promise<void> {
    await this.flush();
    const { digest, size } = this.#place.expected;
    if (this.#written < size) {
      throw new BerthError("pull_failed", `blob ${digest} is truncated: ${this.#written} of ${size} bytes arrived`);
    }
    const actual = `${digestAlgorithm(digest)}:${this.#hash.digest("hex")}`;
    if (actual !== digest) {
      await this.restart();
      throw new DigestMismatchError("blob", { expected: digest, actual });
    }
    await this.#file.datasync();
    await rename(this.#place.path, this.#place.target);
    this.#isGone = true;
    await syncDirectory(dirname(this.#place.target));
  }

  /** Lets others go on. Without a commit the bytes stay for the next ingest. Idempotent. */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      if (!this.#isGone) await this.flush();
    } finally {
      await this.#file.close();
      if (this.#isGone || this.#written > 0) this.#place.lock.release();
      else this.#place.lock.releaseAndDelete();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #resume(): Promise<void> {
    const { size } = await this.#file.stat();
    if (size > this.#place.expected.size) return this.restart();
    const buffer = Buffer.allocUnsafe(Math.min(size, rehashBytes));
    while (this.#written < size) {
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, this.#written);
      if (bytesRead === 0) break;
      this.#hash.update(buffer.subarray(0, bytesRead));
      this.#written += bytesRead;
    }
  }
}

/** The digest of `bytes` by the algorithm of `like`. */
export function digestOf(like: Digest, bytes: Uint8Array): string {
  const algorithm = digestAlgorithm(like);
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

/** Makes renames into a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
