/**
 * What a container changed: its upper directory of overlayfs against the layers below, by descriptors. An entry is told
 * after all its parents; a parent is told only when something in it, or it itself, has changed. Synchronous; for a worker thread.
 */
import { closeSync, constants, readSync } from "node:fs";
import { type FileStatus, openAt, readDirectory, readlinkAt, readXattrs, S_IF, S_IFMT, statAtIfThere } from "../internal/at.ts";
import { errnoCode } from "../internal/libc.ts";
import { isContentXattr } from "./tree-walk.ts";

/** Something that is in the upper directory. `fd` is there for directories: open for reading, until the call returns. */
export interface DiffEntry {
  readonly kind: "added" | "modified";
  /** From the root on, without a leading slash. */
  readonly path: string;
  readonly dirFd: number;
  readonly name: string;
  readonly status: FileStatus;
  readonly fd?: number | undefined;
}

export interface DiffSink {
  entry(entry: DiffEntry): void;
  /** What the layers below have there is gone, with all in it. */
  deleted(path: string): void;
  /** What the layers below have in this directory is gone; its entry was told just now. */
  opaque(path: string): void;
}

interface Level {
  readonly fd: number;
  /** The same directory in the layers below. */
  readonly lower: number | undefined;
  readonly path: string;
  /** Nothing of the layers below shows through. */
  readonly isHiding: boolean;
  /** Tells this directory, and before it those above, unless that was done. */
  readonly tell: () => void;
  wasTold: boolean;
  /** Something was left out that the runtime made here to mount on: it changed the directory's time. */
  hasMountPoints: boolean;
}

const { O_RDONLY, O_DIRECTORY, O_NONBLOCK } = constants;
const opaqueXattr = "trusted.overlay.opaque";

export class TreeDiff {
  readonly #sink: DiffSink;
  readonly #mountPoints: ReadonlySet<string>;
  readonly #aboveMountPoints: ReadonlySet<string>;

  /** `mountPoints` are absolute; where they are empty and not in the layers below, the runtime made them to mount on. */
  constructor(sink: DiffSink, mountPoints: readonly string[]) {
    this.#sink = sink;
    const paths = mountPoints.map((path) => Buffer.from(path.replace(/^\/+|\/+$/g, "")).toString("latin1"));
    this.#mountPoints = new Set(paths);
    this.#aboveMountPoints = new Set(paths.flatMap(parentsOf));
  }

  /** Both open for reading; `lower` is all layers of the image together. */
  run(upper: number, lower: number): void {
    this.#walk({ fd: upper, lower, path: "", isHiding: false, tell: () => {}, wasTold: true, hasMountPoints: false });
  }

  #walk(level: Level): void {
    const names = readDirectory(level.fd).map(({ name }) => name);
    for (const name of names) this.#entry(level, name);
    if (!level.isHiding || level.lower === undefined) return;
    const there = new Set(names);
    for (const { name } of readDirectory(level.lower)) if (!there.has(name)) this.#deleted(level, name);
  }

  #entry(level: Level, name: string): void {
    const status = statAtIfThere(level.fd, name);
    if (status === undefined) return;
    const low = level.lower === undefined ? undefined : statAtIfThere(level.lower, name);
    const path = level.path === "" ? name : `${level.path}/${name}`;
    if (isWhiteout(status)) {
      if (low !== undefined) this.#deleted(level, name);
    } else if (isDirectory(status)) this.#directory(level, name, path, status, low);
    else if (low === undefined && status.size === 0 && this.#mountPoints.has(path)) level.hasMountPoints = true;
    else if (low === undefined) this.#tell(level, { kind: "added", path, dirFd: level.fd, name, status });
    else if (!isSame(level, name, status, low)) this.#tell(level, { kind: "modified", path, dirFd: level.fd, name, status });
  }

  #tell(level: Level, entry: DiffEntry): void {
    level.tell();
    this.#sink.entry(entry);
  }

  #deleted(level: Level, name: string): void {
    level.tell();
    this.#sink.deleted(level.path === "" ? name : `${level.path}/${name}`);
  }

  #directory(above: Level, name: string, path: string, status: FileStatus, low: FileStatus | undefined): void {
    const fd = openIfThere(above.fd, name);
    if (fd === undefined) return;
    const lower = low !== undefined && isDirectory(low) && above.lower !== undefined ? openIfThere(above.lower, name) : undefined;
    try {
      const isOpaque = lower !== undefined && Buffer.from(readXattrs(fd, (key) => key === opaqueXattr).get(opaqueXattr) ?? []).toString() === "y";
      const level: Level = {
        fd,
        lower,
        path,
        isHiding: above.isHiding || isOpaque,
        wasTold: false,
        hasMountPoints: false,
        tell: () => {
          if (level.wasTold) return;
          level.wasTold = true;
          this.#tell(above, { kind: low === undefined ? "added" : "modified", path, dirFd: above.fd, name, status, fd });
          if (isOpaque && !above.isHiding) this.#sink.opaque(path);
        },
      };
      const isForMounts = low === undefined && (this.#mountPoints.has(path) || this.#aboveMountPoints.has(path));
      if (isOpaque || (lower === undefined && !isForMounts)) level.tell();
      this.#walk(level);
      if (level.wasTold) return;
      if (isForMounts) this.#maybeMountPoint(above, level);
      else if (low !== undefined && lower !== undefined && !isSameDirectory(level, lower, status, low)) level.tell();
    } finally {
      closeSync(fd);
      if (lower !== undefined) closeSync(lower);
    }
  }

  /** A directory without contents: made to mount on or on the way to that, else the container's own. */
  #maybeMountPoint(above: Level, level: Level): void {
    if (this.#mountPoints.has(level.path) || level.hasMountPoints) above.hasMountPoints = true;
    else level.tell();
  }
}

function parentsOf(path: string): string[] {
  const names = path.split("/");
  return names.slice(1).map((_, index) => names.slice(0, index + 1).join("/"));
}

function isDirectory({ mode }: FileStatus): boolean {
  return (mode & S_IFMT) === S_IF.directory;
}

function isWhiteout({ mode, rdevMajor, rdevMinor }: FileStatus): boolean {
  return (mode & S_IFMT) === S_IF.character && rdevMajor === 0 && rdevMinor === 0;
}

function openIfThere(dirFd: number, name: string, flags = O_RDONLY | O_DIRECTORY): number | undefined {
  try {
    return openAt(dirFd, name, flags);
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ELOOP"].includes(errnoCode(error) ?? "")) return undefined;
    throw error;
  }
}

function hasSameOwnerAndMode(a: FileStatus, b: FileStatus): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid;
}

function isSameDirectory(level: Level, lower: number, status: FileStatus, low: FileStatus): boolean {
  const isSameTime = level.hasMountPoints || status.mtimeNs === low.mtimeNs;
  return isSameTime && hasSameOwnerAndMode(status, low) && hasSameXattrs(level.fd, lower);
}

/** A file is copied up by merely being opened for writing: only a difference counts. */
function isSame(level: Level, name: string, status: FileStatus, low: FileStatus): boolean {
  const isAlike = hasSameOwnerAndMode(status, low) && status.size === low.size && status.mtimeNs === low.mtimeNs;
  if (!isAlike || level.lower === undefined) return false;
  const kind = status.mode & S_IFMT;
  if (kind === S_IF.symlink) return readlinkAt(level.fd, name) === readlinkAt(level.lower, name);
  if (kind !== S_IF.file) return status.rdevMajor === low.rdevMajor && status.rdevMinor === low.rdevMinor;
  const [upper, lower] = [openIfThere(level.fd, name, O_RDONLY | O_NONBLOCK), openIfThere(level.lower, name, O_RDONLY | O_NONBLOCK)];
  try {
    return upper !== undefined && lower !== undefined && hasSameXattrs(upper, lower) && hasSameData(upper, lower);
  } finally {
    for (const fd of [upper, lower]) if (fd !== undefined) closeSync(fd);
  }
}

function hasSameXattrs(a: number, b: number): boolean {
  const [first, second] = [readXattrs(a, isContentXattr), readXattrs(b, isContentXattr)];
  return first.size === second.size && [...first].every(([key, value]) => Buffer.from(value).equals(second.get(key) ?? new Uint8Array()));
}

function hasSameData(a: number, b: number): boolean {
  const [first, second] = [Buffer.allocUnsafe(256 * 1024), Buffer.allocUnsafe(256 * 1024)];
  for (;;) {
    const length = readSync(a, first, 0, first.length, null);
    const other = readSync(b, second, 0, second.length, null);
    if (length !== other || first.compare(second, 0, other, 0, length) !== 0) return false;
    if (length === 0) return true;
  }
}
