/**
 * A directory tree as a tar, read by descriptors: every step is a name inside an open directory, no symlink is ever
 * followed, so that whoever changes the tree meanwhile can at most make it look different. Synchronous; for a worker thread.
 */
import { closeSync, constants, readSync } from "node:fs";
import { DT, type FileStatus, openAt, readDirectory, readlinkAt, readXattrs, S_IF, S_IFMT, statAt } from "../internal/at.ts";
import { errnoCode } from "../internal/libc.ts";
import { endOfTar, tarHeader, type TarMember, tarPadding } from "./tar-writer.ts";

/** Where the bytes of an archive go. `room` blocks while the reader is busy. */
export interface ByteSink {
  room(): Buffer;
  wrote(bytes: number): void;
  write(bytes: Uint8Array): void;
}

export interface TreeTarOptions {
  /** Told what cannot be in a tar and was left out. */
  readonly onSkip?: ((name: string, why: string) => void) | undefined;
  /** Times without their fraction, which not every reader of tars keeps: what was unpacked gives the same tar again. */
  readonly wholeSeconds?: boolean | undefined;
}

const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY;
const fileFlags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
const entryTypes = { [S_IF.character]: "character", [S_IF.block]: "block", [S_IF.fifo]: "fifo" } as const;

/** Extended attributes that belong to the content, not to the host's policy or to overlayfs. */
export function isContentXattr(name: string): boolean {
  return name === "security.capability" || name.startsWith("user.");
}

export class TreeTar {
  readonly #sink: ByteSink;
  readonly #o: TreeTarOptions;
  /** First names of files with several, by device and inode. */
  readonly #links = new Map<string, string>();

  constructor(sink: ByteSink, o: TreeTarOptions = {}) {
    this.#sink = sink;
    this.#o = o;
  }

  /** What `name` in `dirFd` is, with all below it, as `memberName`. What vanished is left out. */
  add(dirFd: number, name: string, memberName: string, type: number = DT.unknown): void {
    try {
      if (type === DT.file) return this.#openedFile(dirFd, name, memberName);
      if (type === DT.directory) return this.#openedDirectory(dirFd, name, memberName);
      const status = statAt(dirFd, name);
      if ((status.mode & S_IFMT) === S_IF.file) this.#openedFile(dirFd, name, memberName);
      else if ((status.mode & S_IFMT) === S_IF.directory) this.#openedDirectory(dirFd, name, memberName);
      else this.special(dirFd, name, memberName, status);
    } catch (error) {
      if (errnoCode(error) !== "ENOENT" && !isReplaced(error)) throw error;
    }
  }

  /** Symlinks, devices, FIFOs; `dirFd` with an empty name is the thing itself. */
  special(dirFd: number, name: string, memberName: string, status: FileStatus): void {
    const kind = status.mode & S_IFMT;
    if (kind === S_IF.socket) return this.#o.onSkip?.(memberName, "is a socket");
    if (kind === S_IF.symlink) return this.#member(status, { type: "symlink", name: memberName, linkName: readlinkAt(dirFd, name) });
    const type = entryTypes[kind as keyof typeof entryTypes];
    if (type === undefined) return this.#o.onSkip?.(memberName, `is of type ${kind.toString(8)}`);
    this.#member(status, { type, name: memberName, devMajor: status.rdevMajor, devMinor: status.rdevMinor });
  }

  /** An open directory and all below it. */
  directory(fd: number, memberName: string): void {
    this.directoryAlone(fd, memberName);
    this.contents(fd, memberName.endsWith("/") ? memberName : `${memberName}/`);
  }

  /** An open directory without its contents. */
  directoryAlone(fd: number, memberName: string): void {
    this.#member(statAt(fd, ""), { type: "directory", name: memberName, xattrs: readXattrs(fd, isContentXattr) });
  }

  /** All that is in an open directory; names begin with `prefix`. */
  contents(fd: number, prefix: string): void {
    for (const entry of readDirectory(fd)) this.add(fd, entry.name, `${prefix}${entry.name}`, entry.type);
  }

  /** An open regular file. */
  file(fd: number, memberName: string, status: FileStatus = statAt(fd, "")): void {
    if (status.nlink > 1 && this.#isLinked(status, memberName)) return;
    this.#member(status, { type: "file", name: memberName, size: status.size, xattrs: readXattrs(fd, isContentXattr) });
    this.#data(fd, status.size);
  }

  finish(): void {
    this.#sink.write(endOfTar);
  }

  #openedFile(dirFd: number, name: string, memberName: string): void {
    const fd = openAt(dirFd, name, fileFlags);
    try {
      const status = statAt(fd, "");
      if ((status.mode & S_IFMT) === S_IF.file) this.file(fd, memberName, status);
      else if ((status.mode & S_IFMT) === S_IF.directory) this.directory(fd, memberName);
      else this.special(fd, "", memberName, status);
    } finally {
      closeSync(fd);
    }
  }

  #openedDirectory(dirFd: number, name: string, memberName: string): void {
    const fd = openAt(dirFd, name, directoryFlags);
    try {
      this.directory(fd, memberName);
    } finally {
      closeSync(fd);
    }
  }

  #isLinked(status: FileStatus, memberName: string): boolean {
    const key = `${status.devMajor}:${status.devMinor}:${status.ino}`;
    const first = this.#links.get(key);
    if (first === undefined) this.#links.set(key, memberName);
    else this.#member(status, { type: "hardlink", name: memberName, linkName: first });
    return first !== undefined;
  }

  #member(status: FileStatus, member: Omit<TarMember, "mode" | "uid" | "gid" | "mtimeNs">): void {
    const { mode, uid, gid, mtimeNs: exact } = status;
    const mtimeNs = this.#o.wholeSeconds ? exact - (exact % 1_000_000_000n) : exact;
    this.#sink.write(tarHeader({ ...member, mode: mode & 0o7777, uid, gid, mtimeNs }));
  }

  /** Exactly as much as the header says, also of a file that grows or shrinks meanwhile. */
  #data(fd: number, size: number): void {
    let left = size;
    while (left > 0) {
      const room = this.#sink.room();
      const count = readSync(fd, room, 0, Math.min(room.length, left), null);
      if (count === 0) break;
      this.#sink.wrote(count);
      left -= count;
    }
    this.#zeros(left + tarPadding(size));
  }

  #zeros(count: number): void {
    for (let left = count; left > 0; ) {
      const room = this.#sink.room();
      const part = Math.min(room.length, left);
      room.fill(0, 0, part);
      this.#sink.wrote(part);
      left -= part;
    }
  }
}

/** Something else was put where a file or directory had been a moment ago. */
function isReplaced(error: unknown): boolean {
  return ["ELOOP", "ENOTDIR", "ENXIO", "ESTALE"].includes(errnoCode(error) ?? "");
}
