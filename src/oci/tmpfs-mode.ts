import { chmodSync, closeSync, constants, fstatSync, openSync, statfsSync } from "node:fs";
import { O_PATH, openInRoot } from "../internal/libc.ts";
import type { OciMount } from "../spec/runtime-spec.ts";

const TMPFS_MAGIC = 0x01021994;

/**
 * Gives the tmpfs mounts of a created, not yet started container the mode they were asked for. runc gives a tmpfs the mode of the
 * directory it covers, so that after a restart, when that directory exists, others could no longer write to it. `pid` is the
 * container's init, which still waits for its start: nothing of the image has run.
 */
export function applyTmpfsModes(pid: number, mounts: readonly OciMount[]): void {
  const wanted = mounts.flatMap(wantedMode);
  if (wanted.length === 0) return;
  const root = openSync(`/proc/${pid}/root`, O_PATH | constants.O_DIRECTORY);
  try {
    for (const { path, mode } of wanted) applyMode(root, path, mode);
  } finally {
    closeSync(root);
  }
}

/** What lies on the container's own /dev was made by the runtime a moment before and has its mode. */
function wantedMode(mount: OciMount): readonly { readonly path: string; readonly mode: number }[] {
  const mode = mount.options.map((option) => /^mode=([0-7]+)$/.exec(option)?.[1]).find((text) => text !== undefined);
  const isOwn = mount.type === "tmpfs" && mount.destination !== "/dev" && !mount.destination.startsWith("/dev/");
  return isOwn && mode !== undefined ? [{ path: mount.destination, mode: Number.parseInt(mode, 8) }] : [];
}

function applyMode(root: number, path: string, mode: number): void {
  const directory = openInRoot(root, path, O_PATH | constants.O_DIRECTORY);
  try {
    const byDescriptor = `/proc/self/fd/${directory}`;
    if ((fstatSync(directory).mode & 0o7777) !== mode && statfsSync(byDescriptor).type === TMPFS_MAGIC) chmodSync(byDescriptor, mode);
  } finally {
    closeSync(directory);
  }
}
