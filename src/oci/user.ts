/** Who a container's process runs as: users and groups by the container's own files, which are a stranger's (contract 1.3.1). */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { BerthError } from "../errors.ts";
import { errnoCode, O_PATH, openInRoot } from "../internal/libc.ts";
import { lookUpUser, type ResolvedUser } from "../spec/user.ts";

const sizeLimit = 4 * 1024 * 1024;

/**
 * Resolves against the files below `rootfs`. The kernel keeps every path and symlink inside it; only regular files of at most
 * 4 MiB are read. A missing file is an empty one. Throws `invalid_spec`.
 */
export function resolveUser(rootfs: string, wanted: string | undefined, extraGroups: readonly string[] = []): ResolvedUser {
  const root = openSync(rootfs, O_PATH | constants.O_DIRECTORY);
  try {
    return lookUpUser(wanted, extraGroups, { passwd: readInRoot(root, "etc/passwd"), group: readInRoot(root, "etc/group") });
  } finally {
    closeSync(root);
  }
}

function readInRoot(root: number, path: string): string {
  // O_PATH first: opening a device node or a FIFO for reading could have effects before its type is known.
  const handle = openIfThere(root, path);
  if (handle === undefined) return "";
  try {
    if (!fstatSync(handle).isFile()) throw new BerthError("invalid_spec", `the container's /${path} is not a regular file`);
    const file = openSync(`/proc/self/fd/${handle}`, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      return readLimited(file, path);
    } finally {
      closeSync(file);
    }
  } finally {
    closeSync(handle);
  }
}

const absent: ReadonlySet<string | undefined> = new Set(["ENOENT", "ENOTDIR", "ELOOP"]);

function openIfThere(root: number, path: string): number | undefined {
  try {
    return openInRoot(root, path, O_PATH);
  } catch (error) {
    if (absent.has(errnoCode(error))) return undefined;
    throw error;
  }
}

/** The size is checked on what was read, because the file may grow meanwhile. */
function readLimited(file: number, path: string): string {
  const chunks: Buffer[] = [];
  let total = 0;
  for (;;) {
    const chunk = Buffer.allocUnsafe(65536);
    const length = readSync(file, chunk);
    if (length === 0) return Buffer.concat(chunks).toString("utf8");
    total += length;
    if (total > sizeLimit) throw new BerthError("invalid_spec", `the container's /${path} is larger than 4 MiB`);
    chunks.push(chunk.subarray(0, length));
  }
}
