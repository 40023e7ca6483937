/**
 * Writes the entries of a tar below an open directory, by descriptors. What is there is replaced, never written through.
 * Symlinks among the parents are followed as the calling thread sees them: its root must be the container's. Synchronous;
 * for a worker thread.
 */
import { closeSync, constants, fchmodSync, fchownSync, writeSync } from "node:fs";
import {
  chownAt,
  type FileStatus,
  linkAt,
  mkdirAt,
  mknodAt,
  openAt,
  openPath,
  readDirectory,
  rmdirAt,
  S_IF,
  S_IFMT,
  setMtimeAt,
  setXattr,
  statAt,
  statAtIfThere,
  symlinkAt,
  unlinkAt,
} from "../internal/at.ts";
import { errnoCode, makedev, O_PATH } from "../internal/libc.ts";
import { toDisplay } from "./byte-string.ts";
import { componentsOf, nanoseconds, refusedEntry } from "./tar-entry.ts";
import type { TarEntry, TarSink } from "./tar-reader.ts";
import { isContentXattr } from "./tree-walk.ts";

export interface TreeWriterOptions {
  /** Refuses to put a file where a directory is, and the reverse. */
  readonly noOverwriteDirNonDir?: boolean | undefined;
  /** Owner of everything written, whatever the archive says. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** Follows no symlink at all below the directory: for a thread whose root is the host's. */
  readonly beneath?: boolean | undefined;
  /** What a name of the archive is called here, names of hard links' targets included. */
  readonly rename?: ((name: string) => string) | undefined;
  /** Needed where the process has a umask. */
  readonly setsModes?: boolean | undefined;
}

interface OpenDirectory {
  readonly fd: number;
  /** New files get its group, not ours. */
  readonly isSetgid: boolean;
}

const { O_WRONLY, O_CREAT, O_EXCL, O_DIRECTORY } = constants;
const nodeTypes = { character: S_IF.character, block: S_IF.block, fifo: S_IF.fifo } as const;
const specialBits = 0o7000;
const setgid = 0o2000;
const maxOpen = 128;

export class TreeWriter implements TarSink {
  readonly #dirFd: number;
  readonly #o: TreeWriterOptions;
  /** Parents of entries by their name, the one used last at the end. */
  readonly #parents = new Map<string, OpenDirectory>();
  /** Applied at the end: writing into a directory changes its time. */
  readonly #directoryTimes = new Map<string, number>();
  #file: { readonly fd: number; readonly entry: TarEntry; readonly parent: OpenDirectory; readonly name: string } | undefined;
  #current = "";
  readonly #ownUid = process.geteuid?.() ?? 0;
  readonly #ownGid = process.getegid?.() ?? 0;

  constructor(dirFd: number, o: TreeWriterOptions = {}) {
    this.#dirFd = dirFd;
    this.#o = o;
  }

  /** Name of the entry being written, for people. */
  get current(): string {
    return toDisplay(this.#current);
  }

  begin(original: TarEntry): void {
    this.#current = original.name;
    const entry = this.#renamed(original);
    const components = componentsOf(entry.name, entry.name);
    const name = components.pop();
    // The directory itself stays as it is.
    if (name === undefined) return;
    const parent = this.#parent(components);
    // Most often nothing is there: asking first would cost a call for each entry.
    if (!this.#isCreated(entry, parent, name)) this.#replace(entry, parent, name);
    if (entry.type === "directory") this.#noteDirectory([...components, name].join("/"), entry);
  }

  #renamed(entry: TarEntry): TarEntry {
    const { rename } = this.#o;
    if (rename === undefined) return entry;
    return { ...entry, name: rename(entry.name), linkName: entry.type === "hardlink" ? rename(entry.linkName) : entry.linkName };
  }

  data(chunk: Buffer): void {
    if (this.#file === undefined) return;
    for (let at = 0; at < chunk.length; ) at += writeSync(this.#file.fd, chunk, at, chunk.length - at);
  }

  end(): void {
    const file = this.#file;
    if (file === undefined) return;
    const { fd, entry, parent } = file;
    const { uid, gid } = this.#ownerOf(entry);
    if (uid !== this.#ownUid || gid !== this.#ownGid || parent.isSetgid) fchownSync(fd, uid, gid);
    // After the change of owner, which clears these bits.
    if (this.#o.setsModes === true || (entry.mode & specialBits) !== 0) fchmodSync(fd, entry.mode);
    setXattrs(fd, entry);
    setMtimeAt(fd, "", nanoseconds(entry.mtime));
    this.#file = undefined;
    closeSync(fd);
  }

  /** Call once after the last entry. */
  finish(): void {
    for (const [path, mtime] of this.#directoryTimes) {
      const components = path.split("/");
      const name = components.pop() ?? "";
      setMtimeAt(this.#parent(components).fd, name, nanoseconds(mtime));
    }
  }

  /** Lets go of everything; a file that is not whole is removed. */
  close(): void {
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined) {
      closeSync(file.fd);
      unlinkIfThere(file.parent.fd, file.name);
    }
    this.#forgetParents();
  }

  #isCreated(entry: TarEntry, parent: OpenDirectory, name: string): boolean {
    try {
      this.#create(entry, parent, name, false);
      return true;
    } catch (error) {
      if (errnoCode(error) === "EEXIST") return false;
      throw error;
    }
  }

  #replace(entry: TarEntry, parent: OpenDirectory, name: string): void {
    const there = statAtIfThere(parent.fd, name);
    const isMerge = there !== undefined && isDirectory(there) && entry.type === "directory";
    if (there !== undefined && !isMerge) this.#clear(parent, name, there, entry);
    this.#create(entry, parent, name, isMerge);
  }

  #create(entry: TarEntry, parent: OpenDirectory, name: string, isMerge: boolean): void {
    switch (entry.type) {
      case "file":
        this.#file = { fd: openAt(parent.fd, name, O_WRONLY | O_CREAT | O_EXCL, entry.mode & 0o777), entry, parent, name };
        return;
      case "directory":
        return this.#directory(entry, parent, name, isMerge);
      case "hardlink":
        return this.#hardlink(entry, parent, name);
      case "symlink":
        symlinkAt(entry.linkName, parent.fd, name);
        return this.#applyByName(entry, parent, name);
      default:
        mknodAt(parent.fd, name, nodeTypes[entry.type] | (entry.mode & 0o777), entry.type === "fifo" ? 0n : makedev(entry.devMajor, entry.devMinor));
        return this.#applyByName(entry, parent, name);
    }
  }

  #directory(entry: TarEntry, parent: OpenDirectory, name: string, isMerge: boolean): void {
    if (!isMerge) mkdirAt(parent.fd, name, entry.mode & 0o777);
    const fd = openAt(parent.fd, name, O_DIRECTORY);
    try {
      const { uid, gid } = this.#ownerOf(entry);
      fchownSync(fd, uid, gid);
      fchmodSync(fd, entry.mode);
      setXattrs(fd, entry);
    } finally {
      closeSync(fd);
    }
  }

  #noteDirectory(path: string, entry: TarEntry): void {
    this.#directoryTimes.set(path, entry.mtime);
    // It may have had another setgid bit when it was opened.
    const known = this.#parents.get(path);
    if (known === undefined) return;
    this.#parents.delete(path);
    closeSync(known.fd);
  }

  #hardlink(entry: TarEntry, parent: OpenDirectory, name: string): void {
    const components = componentsOf(entry.linkName, entry.name);
    const target = components.pop();
    if (target === undefined) throw refusedEntry(entry.name, "is a hard link to a directory");
    let from: number | undefined;
    try {
      from = this.#openPath(components.join("/") || ".");
      linkAt(from, target, parent.fd, name);
    } catch (error) {
      if (errnoCode(error) === "ENOENT" || errnoCode(error) === "ENOTDIR")
        throw refusedEntry(entry.name, `is a hard link to ${JSON.stringify(toDisplay(entry.linkName))}, which is not there`);
      if (errnoCode(error) === "EPERM") throw refusedEntry(entry.name, "is a hard link to a directory");
      throw error;
    } finally {
      if (from !== undefined) closeSync(from);
    }
  }

  #applyByName(entry: TarEntry, parent: OpenDirectory, name: string): void {
    const { uid, gid } = this.#ownerOf(entry);
    chownAt(parent.fd, name, uid, gid);
    setMtimeAt(parent.fd, name, nanoseconds(entry.mtime));
  }

  #ownerOf(entry: TarEntry): { readonly uid: number; readonly gid: number } {
    return this.#o.owner ?? entry;
  }

  /** Makes room. A directory may have been replaced that was open as a parent, or a symlink that led to one. */
  #clear(parent: OpenDirectory, name: string, there: FileStatus, entry: TarEntry): void {
    const refuses = this.#o.noOverwriteDirNonDir === true;
    if (refuses && isDirectory(there)) throw refusedEntry(entry.name, "would replace a directory by something else");
    if (refuses && entry.type === "directory") throw refusedEntry(entry.name, "is a directory and would replace something else");
    removeTree(parent.fd, name, there);
    if ((there.mode & S_IFMT) === S_IF.file) return;
    this.#forgetParents(parent);
    const path = componentsOf(entry.name, entry.name).join("/");
    for (const known of [...this.#directoryTimes.keys()]) {
      if (known === path || known.startsWith(`${path}/`)) this.#directoryTimes.delete(known);
    }
  }

  /** The directory of these names, made where it is missing. */
  #parent(components: readonly string[]): OpenDirectory {
    if (components.length === 0) return this.#opened("", () => openAt(this.#dirFd, ".", O_PATH | O_DIRECTORY));
    const path = components.join("/");
    return this.#opened(path, () => {
      try {
        return this.#openPath(path);
      } catch (error) {
        if (errnoCode(error) !== "ENOENT") throw error;
      }
      const above = this.#parent(components.slice(0, -1));
      mkdirAt(above.fd, components.at(-1) ?? "", 0o755);
      return this.#openPath(path);
    });
  }

  #openPath(path: string): number {
    return openPath(this.#dirFd, path, O_PATH | O_DIRECTORY, this.#o.beneath);
  }

  #opened(path: string, open: () => number): OpenDirectory {
    let found = this.#parents.get(path);
    if (found === undefined) {
      const fd = open();
      found = { fd, isSetgid: (statAt(fd, "").mode & setgid) !== 0 };
    } else this.#parents.delete(path);
    this.#parents.set(path, found);
    if (this.#parents.size > maxOpen) this.#closeOldest();
    return found;
  }

  #closeOldest(): void {
    for (const [path, { fd }] of this.#parents) {
      this.#parents.delete(path);
      return closeSync(fd);
    }
  }

  #forgetParents(but?: OpenDirectory): void {
    for (const [path, directory] of this.#parents) {
      if (directory === but) continue;
      this.#parents.delete(path);
      closeSync(directory.fd);
    }
  }
}

function isDirectory(status: FileStatus): boolean {
  return (status.mode & S_IFMT) === S_IF.directory;
}

function setXattrs(fd: number, entry: TarEntry): void {
  for (const [name, value] of entry.xattrs) {
    if (!isContentXattr(name)) continue;
    try {
      setXattr(fd, name, value);
    } catch (error) {
      // A tmpfs, say, may have none; the content counts.
      if (errnoCode(error) !== "ENOTSUP" && errnoCode(error) !== "EOPNOTSUPP") throw error;
    }
  }
}

function removeTree(dirFd: number, name: string, status: FileStatus): void {
  if (!isDirectory(status)) return unlinkIfThere(dirFd, name);
  const fd = openAt(dirFd, name, O_DIRECTORY);
  try {
    for (const entry of readDirectory(fd)) {
      const below = statAtIfThere(fd, entry.name);
      if (below !== undefined) removeTree(fd, entry.name, below);
    }
  } finally {
    closeSync(fd);
  }
  rmdirAt(dirFd, name);
}

function unlinkIfThere(dirFd: number, name: string): void {
  try {
    unlinkAt(dirFd, name);
  } catch (error) {
    if (errnoCode(error) !== "ENOENT") throw error;
  }
}
