/**
 * A file beside the state store that is given up when the disk is full: what frees space (a stop, a removal, a prune) must
 * itself be written down first. Whoever opens the store with space to spare makes it again.
 */
import { closeSync, existsSync, fsyncSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";

const reserveBytes = 1024 * 1024;
/** Nobody's space is taken for it when there is little. */
const leastFreeBytes = 8 * reserveBytes;

const reserves = new WeakMap<DatabaseSync, string>();

export function keepReserve(db: DatabaseSync, path: string): void {
  reserves.set(db, path);
  if (existsSync(path)) return;
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    if (bavail * bsize >= leastFreeBytes) fill(path);
  } catch {
    // It is a help, not a need.
    rmSync(path, { force: true });
  }
}

/** `false` when there is nothing to give up. */
export function giveUpReserve(path: string | undefined): boolean {
  if (path === undefined || !existsSync(path)) return false;
  rmSync(path, { force: true });
  return true;
}

export function reserveOf(db: DatabaseSync): string | undefined {
  return reserves.get(db);
}

function fill(path: string): void {
  const fd = openSync(path, "wx", 0o600);
  try {
    writeSync(fd, Buffer.alloc(reserveBytes));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
