/**
 * The files of one log, oldest first: `container.log.1`, `container.log.2`, … and `container.log`, which conmon writes to. Between
 * the two steps of a rotation the last numbered one is still being written and `container.log` is not there yet.
 */
import { readdirSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";

export interface LogFile {
  readonly path: string;
  readonly inode: number;
  readonly size: number;
  readonly modifiedMs: number;
  /** Absent for the one without a number. */
  readonly number?: number | undefined;
}

/** A second name of the file conmon writes to: when conmon itself replaces that at its hard limit, this is what is left of it. */
export function heldPath(path: string): string {
  return `${path}.held`;
}

export function logFiles(path: string): LogFile[] {
  const numbered = numbersOf(path)
    .sort((a, b) => a - b)
    .flatMap((number) => stat(`${path}.${number}`, number) ?? []);
  const current = stat(path);
  const held = stat(heldPath(path));
  const isKnown = (file: LogFile): boolean => [...numbered, current].some((other) => other?.inode === file.inode);
  return [...numbered, ...(held === undefined || isKnown(held) ? [] : [held]), ...(current === undefined ? [] : [current])];
}

function numbersOf(path: string): number[] {
  const prefix = `${basename(path)}.`;
  try {
    return readdirSync(dirname(path)).flatMap((name) => {
      const digits = name.startsWith(prefix) ? name.slice(prefix.length) : "";
      return /^[1-9]\d*$/.test(digits) ? [Number(digits)] : [];
    });
  } catch {
    return [];
  }
}

export function nextNumber(path: string): number {
  return Math.max(0, ...numbersOf(path)) + 1;
}

function stat(path: string, number?: number): LogFile | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? undefined : { path, inode: found.ino, size: found.size, modifiedMs: found.mtimeMs, number };
}
