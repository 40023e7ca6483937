/** Method 48 inside the container: from a tar to files below a directory. */
import { closeSync, constants, readFileSync } from "node:fs";
import { asArchiveError } from "../../../archive/tar-header.ts";
import { TarReader } from "../../../archive/tar-reader.ts";
import { TreeWriter } from "../../../archive/tree-writer.ts";
import { BerthError, isBerthError, messageOf } from "../../../errors.ts";
import { isReadOnlyMount, openPath, S_IF, S_IFMT, statAt } from "../../../internal/at.ts";
import type { ByteRing } from "../../../internal/byte-ring.ts";
import { errnoCode } from "../../../internal/libc.ts";
import { lookUpUser } from "../../../spec/user.ts";
import type { FilesTask } from "./jobs.ts";
import { openTarget } from "./path-target.ts";

const maxUserFileBytes = 16 * 1024 * 1024;

export function extract(rootFd: number, task: FilesTask & { readonly kind: "put" }, ring: ByteRing, onReady: () => void): void {
  const directory = openTarget(rootFd, task.path, { follow: true });
  try {
    checkTarget(directory, task.path);
    const owner = task.user === undefined ? undefined : owners(rootFd, task.user);
    onReady();
    writeAll(ring, new TreeWriter(directory, { noOverwriteDirNonDir: task.noOverwriteDirNonDir, owner }));
  } catch (error) {
    ring.break();
    throw error;
  } finally {
    closeSync(directory);
  }
}

function checkTarget(fd: number, path: string): void {
  if ((statAt(fd, "").mode & S_IFMT) !== S_IF.directory) throw new BerthError("invalid_spec", `extraction point is not a directory: ${path}`);
  if (isReadOnlyMount(fd)) throw readOnly(path);
}

function readOnly(path: string, cause?: unknown): BerthError {
  return new BerthError("invalid_spec", `cannot write to ${path}: the root file system or the volume there is mounted read-only`, { cause });
}

function writeAll(ring: ByteRing, writer: TreeWriter): void {
  const reader = new TarReader(writer);
  try {
    for (let chunk = ring.take(); chunk !== undefined; chunk = ring.take()) {
      reader.write(chunk);
      ring.took(chunk.length);
    }
    reader.finish();
    writer.finish();
  } catch (error) {
    throw extractError(error, writer.current);
  } finally {
    writer.close();
  }
}

function extractError(error: unknown, entry: string): unknown {
  if (isBerthError(error)) return asArchiveError(error);
  const at = entry === "" ? "" : ` at entry ${JSON.stringify(entry)}`;
  const wrap = (code: "invalid_spec" | "conflict" | "internal", why: string): BerthError =>
    new BerthError(code, `cannot extract the archive${at}: ${why}`, { cause: error });
  switch (errnoCode(error)) {
    case undefined:
      return error;
    case "EROFS":
      return readOnly(entry, error);
    case "ENOSPC":
    case "EDQUOT":
      return wrap("internal", "no space left on the disk that holds it; free some space and copy again");
    case "ENOTDIR":
    case "EEXIST":
    case "ELOOP":
      return wrap("invalid_spec", "something on the way is not a directory");
    case "ENAMETOOLONG":
      return wrap("invalid_spec", "the name is too long");
    case "EBUSY":
      return wrap("conflict", "something is mounted there");
    default:
      return wrap("internal", messageOf(error));
  }
}

/** By the container's passwd and group, as for its processes. */
function owners(rootFd: number, user: string): { readonly uid: number; readonly gid: number } {
  return lookUpUser(user, [], { passwd: readText(rootFd, "etc/passwd"), group: readText(rootFd, "etc/group") });
}

/** Mounts inside a view open no devices, so that opening is safe before the type is known. */
function readText(rootFd: number, path: string): string {
  let fd: number;
  try {
    fd = openPath(rootFd, path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    if (errnoCode(error) === "ENOENT" || errnoCode(error) === "ENOTDIR") return "";
    throw error;
  }
  try {
    const { mode, size } = statAt(fd, "");
    if ((mode & S_IFMT) !== S_IF.file || size > maxUserFileBytes) throw new BerthError("invalid_spec", `the container's /${path} is not a readable file`);
    return readFileSync(fd, "utf8");
  } finally {
    closeSync(fd);
  }
}
