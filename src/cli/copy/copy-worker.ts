/** The host's side of `cp`, in a thread that may block: reads a tree as a tar, or writes one. */
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { basename, dirname } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { TarReader } from "../../archive/tar-reader.ts";
import { TreeTar } from "../../archive/tree-walk.ts";
import { TreeWriter } from "../../archive/tree-writer.ts";
import { messageOf } from "../../errors.ts";
import { ByteRing } from "../../internal/byte-ring.ts";
import type { CopyAnswer, CopyJob } from "./copy-jobs.ts";
import { renamer } from "./operand.ts";

const job: CopyJob = workerData;
const ring = new ByteRing(job.ring);

try {
  answer({ ok: true, bytes: job.kind === "read" ? read(job) : write(job) });
} catch (error) {
  ring.break();
  answer({ ok: false, message: messageOf(error) });
}

function answer(what: CopyAnswer): void {
  parentPort?.postMessage(what);
}

function read({ path, name, follow }: CopyJob & { readonly kind: "read" }): number {
  const counted = counting(ring);
  const tar = new TreeTar(counted);
  const bytes = Buffer.from(name).toString("latin1");
  if (follow) addOpened(tar, path, bytes);
  else {
    const parent = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
    tar.add(parent, Buffer.from(basename(path)).toString("latin1"), bytes);
    closeSync(parent);
  }
  tar.finish();
  ring.end();
  return counted.total();
}

/** What a path leads to, symlinks followed. */
function addOpened(tar: TreeTar, path: string, name: string): void {
  const fd = openSync(path, constants.O_RDONLY);
  if (fstatSync(fd).isDirectory()) tar.directory(fd, name);
  else tar.file(fd, name);
  closeSync(fd);
}

function write({ directory, rename, keepsOwners }: CopyJob & { readonly kind: "write" }): number {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  const owner = keepsOwners ? undefined : { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  const bytesOf = (text: string): string => Buffer.from(text).toString("latin1");
  const renames = rename === undefined ? undefined : renamer(bytesOf(rename.base), bytesOf(rename.name));
  const writer = new TreeWriter(fd, { noOverwriteDirNonDir: true, owner, beneath: true, rename: renames, setsModes: true });
  const reader = new TarReader(writer);
  let total = 0;
  try {
    for (let chunk = ring.take(); chunk !== undefined; chunk = ring.take()) {
      total += chunk.length;
      reader.write(chunk);
      ring.took(chunk.length);
    }
    reader.finish();
    writer.finish();
  } finally {
    writer.close();
    closeSync(fd);
  }
  return total;
}

function counting(to: ByteRing): { room(): Buffer; wrote(bytes: number): void; write(bytes: Uint8Array): void; total(): number } {
  let total = 0;
  return {
    room: () => to.room(),
    wrote: (bytes) => {
      total += bytes;
      to.wrote(bytes);
    },
    write: (bytes) => {
      total += bytes.length;
      to.write(bytes);
    },
    total: () => total,
  };
}
