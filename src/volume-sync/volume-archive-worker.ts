/** The thread of `archive-jobs.ts`. */
import { createHash, type Hash } from "node:crypto";
import { closeSync, constants, fchmodSync, fchownSync, fsyncSync, futimesSync, openSync, readSync, writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { type TarEntry, TarReader } from "../archive/tar-reader.ts";
import { type ByteSink, TreeTar } from "../archive/tree-walk.ts";
import { TreeWriter } from "../archive/tree-writer.ts";
import { messageOf } from "../errors.ts";
import { errnoCode, syncfs } from "../internal/libc.ts";
import type { ArchiveAnswer, ArchiveJob, Packed } from "./archive-jobs.ts";

const chunkBytes = 256 * 1024;

/** Hashes what passes, and writes it where there is a file. */
class HashingSink implements ByteSink {
  readonly #hash: Hash = createHash("sha256");
  readonly #fd: number | undefined;
  readonly #room = Buffer.allocUnsafe(chunkBytes);
  sizeBytes = 0;

  constructor(fd: number | undefined) {
    this.#fd = fd;
  }

  room(): Buffer {
    return this.#room;
  }

  wrote(bytes: number): void {
    this.write(this.#room.subarray(0, bytes));
  }

  write(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.sizeBytes += bytes.length;
    if (this.#fd === undefined) return;
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at, bytes.length - at);
  }

  digest(): string {
    return this.#hash.digest("hex");
  }
}

function pack(directory: string, file: string | undefined): Packed {
  const from = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  const to = file === undefined ? undefined : openSync(file, "w", 0o600);
  try {
    const sink = new HashingSink(to);
    const tree = new CountingTar(sink, { wholeSeconds: true });
    tree.directory(from, "./");
    tree.finish();
    if (to !== undefined) fsyncSync(to);
    return { digest: sink.digest(), sizeBytes: sink.sizeBytes, fileCount: tree.fileCount };
  } finally {
    closeSync(from);
    if (to !== undefined) closeSync(to);
  }
}

class CountingTar extends TreeTar {
  fileCount = 0;

  override file(fd: number, memberName: string): void {
    this.fileCount++;
    super.file(fd, memberName);
  }
}

/** The directory itself is an entry, too, which the writer of trees leaves as it is. */
class VolumeWriter extends TreeWriter {
  root: TarEntry | undefined;

  override begin(entry: TarEntry): void {
    if (entry.name === "./") this.root = entry;
    else super.begin(entry);
  }
}

function unpack(file: string, directory: string): void {
  const from = openSync(file, "r");
  const to = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  const writer = new VolumeWriter(to, { beneath: true, setsModes: true });
  try {
    const reader = new TarReader(writer);
    const chunk = Buffer.allocUnsafe(chunkBytes);
    for (let length = readSync(from, chunk); length > 0; length = readSync(from, chunk)) reader.write(Buffer.from(chunk.subarray(0, length)));
    reader.finish();
    writer.finish();
    const { root } = writer;
    if (root !== undefined) {
      fchownSync(to, root.uid, root.gid);
      fchmodSync(to, root.mode);
      futimesSync(to, root.mtime, root.mtime);
    }
    syncfs(to);
  } finally {
    writer.close();
    closeSync(from);
    closeSync(to);
  }
}

function perform(job: ArchiveJob): ArchiveAnswer {
  if (job.kind === "pack") return { ok: true, packed: pack(job.directory, job.file) };
  unpack(job.file, job.directory);
  return { ok: true };
}

try {
  parentPort?.postMessage(perform(workerData as ArchiveJob));
} catch (error) {
  const failed: ArchiveAnswer = { ok: false, message: messageOf(error), code: errnoCode(error) };
  parentPort?.postMessage(failed);
}
