import { chmodSync, chownSync, closeSync, fstatSync, openSync, readdirSync } from "node:fs";
import { constants } from "node:fs";
import { errnoCode, O_PATH, openInRoot, syncfs } from "../internal/libc.ts";
import { runToEnd } from "../internal/spawn.ts";

/**
 * Fills an empty directory with what an image has at `target`: owners, modes, links and attributes too (Docker's copy-up).
 * `rootfs` is the mounted root of a container that does not run; `target` is resolved inside it by the kernel. Synced when
 * it returns. Answers `false` when there was nothing to copy.
 */
export async function copyUp(data: string, rootfs: string, target: string): Promise<boolean> {
  const rootFd = openSync(rootfs, O_PATH | constants.O_DIRECTORY);
  let source: number | undefined;
  try {
    source = openInRoot(rootFd, target, O_PATH | constants.O_DIRECTORY);
    const { mode, uid, gid } = fstatSync(source);
    const path = `/proc/${process.pid}/fd/${source}`;
    const isEmpty = readdirSync(path).length === 0;
    if (!isEmpty) await copyTree(path, data);
    chownSync(data, uid, gid);
    chmodSync(data, mode & 0o7777);
    return !isEmpty;
  } catch (error) {
    if (errnoCode(error) !== "ENOENT" && errnoCode(error) !== "ENOTDIR") throw error;
    return false;
  } finally {
    if (source !== undefined) closeSync(source);
    closeSync(rootFd);
  }
}

/** cp keeps to the directory it is given: links inside are copied as links, never followed. */
async function copyTree(from: string, to: string): Promise<void> {
  const copied = await runToEnd("cp", ["-a", `${from}/.`, to]);
  if (copied.exitCode !== 0) throw copyError(copied.stderr);
  const fd = openSync(to, "r");
  try {
    syncfs(fd);
  } finally {
    closeSync(fd);
  }
}

function copyError(stderr: string): Error {
  const isFull = /no space left on device|disk quota exceeded/i.test(stderr);
  return Object.assign(new Error(stderr.split("\n")[0] ?? "cp failed"), isFull ? { code: "ENOSPC" } : {});
}
