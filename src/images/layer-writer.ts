/**
 * Writes the entries of one layer as files, in the form overlayfs wants them: whiteouts are character devices 0:0,
 * opaque directories carry `trusted.overlay.opaque`.
 *
 * Every path here starts at `/`: the thread that runs this has the layer's directory as its root ({@link Confinement}),
 * so that no name, symlink or hardlink can mean anything outside. That holds for synchronous calls of that very thread
 * only; nothing here may be asynchronous.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readlinkSync,
  rmSync,
  type Stats,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { call, errnoCode, makedev } from "../internal/libc.ts";
import { toCString, toDisplay, toPath } from "../archive/byte-string.ts";
import { hardlinkTarget, layerTarget } from "./layer-path.ts";
import { malformed } from "../archive/tar-header.ts";
import type { TarEntry, TarSink } from "../archive/tar-reader.ts";

const createFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const nodeTypes = { character: constants.S_IFCHR, block: constants.S_IFBLK, fifo: constants.S_IFIFO } as const;
const specialBits = 0o7000;
const setgid = 0o2000;
const maxSymlinks = 40;

export class LayerWriter implements TarSink {
  #entries = 0;
  #current = "";
  #sizeBytes = 0;
  #open: { readonly fd: number; readonly entry: TarEntry } | undefined;
  /** Where the parents of entries really are, symlinks resolved. Emptied when something in the layer is replaced. */
  readonly #parents = new Map<string, string>();
  readonly #whiteouts = new Set<string>();
  /** Applied at the end: writing into a directory changes its time. */
  readonly #directoryTimes = new Map<string, number>();
  /** In a setgid directory a new file does not get our own group. */
  #hasSetgid = false;

  /** Bytes of all files, whiteouts not counted. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get entries(): number {
    return this.#entries;
  }

  /** Name of the entry being written, as in the tar. */
  get current(): string {
    return this.#current;
  }

  begin(entry: TarEntry): void {
    this.#entries++;
    this.#current = entry.name;
    const target = layerTarget(entry);
    if (target.kind === "path") this.#create(entry, target.path);
    else if (target.kind === "whiteout") this.#whiteout(target.path, entry);
    else if (target.kind === "opaque") makeOpaque(this.#directory(target.path, entry));
  }

  data(chunk: Buffer): void {
    if (this.#open === undefined) return;
    this.#sizeBytes += chunk.length;
    for (let at = 0; at < chunk.length; ) at += writeSync(this.#open.fd, chunk, at, chunk.length - at);
  }

  end(): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    try {
      this.#finishFile(open.fd, open.entry);
    } finally {
      closeSync(open.fd);
    }
  }

  /** Call once after the last entry. */
  finish(): void {
    for (const [path, mtime] of this.#directoryTimes) lutimesSync(toPath(path), mtime, mtime);
  }

  /** Lets go of what is open after an error. */
  abandon(): void {
    if (this.#open !== undefined) closeSync(this.#open.fd);
    this.#open = undefined;
  }

  #create(entry: TarEntry, name: string): void {
    if (name === "") return this.#root(entry);
    const path = this.#place(name, entry);
    if (entry.type === "directory") return this.#createDirectory(entry, path);
    if (entry.type === "file") {
      const fd = this.#whenFree(path, () => openSync(toPath(path), createFlags, entry.mode & 0o777));
      if (fd !== undefined) this.#open = { fd, entry };
      return;
    }
    if (entry.type === "hardlink") return this.#createHardlink(entry, path);
    if (entry.type === "symlink") this.#whenFree(path, () => symlinkSync(toPath(entry.linkName), toPath(path)));
    else this.#createNode(entry, path, nodeTypes[entry.type]);
    this.#applyByPath(entry, path);
  }

  #root(entry: TarEntry): void {
    if (entry.type !== "directory") throw malformed(`the layer's root cannot be a ${entry.type}`, entry.name);
    this.#directoryMetadata(entry, "/");
  }

  #createDirectory(entry: TarEntry, path: string): void {
    this.#makeDirectory(path, entry.mode & 0o777);
    this.#directoryMetadata(entry, path);
  }

  #directoryMetadata(entry: TarEntry, path: string): void {
    lchownSync(toPath(path), entry.uid, entry.gid);
    // Also where nothing special is asked for: the directory may have been there, or inherited setgid.
    chmodSync(toPath(path), entry.mode);
    if ((entry.mode & setgid) !== 0) this.#hasSetgid = true;
    setXattrs(entry, path);
    this.#directoryTimes.set(path, entry.mtime);
  }

  #createHardlink(entry: TarEntry, path: string): void {
    const target = this.#place(hardlinkTarget(entry), entry);
    const before = lstat(target);
    if (before === undefined) throw malformed(`hardlink to ${JSON.stringify(target)}, which is not in the layer`, entry.name);
    if (before.isDirectory()) throw malformed(`hardlink to the directory ${JSON.stringify(target)}`, entry.name);
    if (target === path) return;
    this.#whenFree(path, () => linkSync(toPath(target), toPath(path)));
  }

  #createNode(entry: TarEntry, path: string, type: number): void {
    const device = entry.type === "fifo" ? 0n : makedev(entry.devMajor, entry.devMinor);
    this.#whenFree(path, () => makeNode(path, type | (entry.mode & 0o777), device));
  }

  #finishFile(fd: number, entry: TarEntry): void {
    if (entry.uid !== 0 || entry.gid !== 0 || this.#hasSetgid) fchownSync(fd, entry.uid, entry.gid);
    // After the change of owner, which clears these bits.
    if ((entry.mode & specialBits) !== 0) fchmodSync(fd, entry.mode);
    if (entry.xattrs.size > 0) setXattrs(entry, fd);
    futimesSync(fd, entry.mtime, entry.mtime);
  }

  #applyByPath(entry: TarEntry, path: string): void {
    lchownSync(toPath(path), entry.uid, entry.gid);
    if (entry.type !== "symlink" && (entry.mode & specialBits) !== 0) chmodSync(toPath(path), entry.mode);
    if (entry.type !== "symlink") setXattrs(entry, path);
    lutimesSync(toPath(path), entry.mtime, entry.mtime);
  }

  #whiteout(name: string, entry: TarEntry): void {
    const path = this.#place(name, entry);
    const there = lstat(path);
    // What a layer adds is not hidden by its own whiteout; only a directory still has to hide the one below it.
    if (there?.isDirectory()) return makeOpaque(path);
    if (there !== undefined) return;
    makeNode(path, constants.S_IFCHR, 0n);
    this.#whiteouts.add(path);
  }

  /** Real path of a name whose parents are made when they are missing. */
  #place(name: string, entry: Pick<TarEntry, "name">): string {
    const slash = name.lastIndexOf("/");
    if (slash < 0) return `/${name}`;
    const parentName = name.slice(0, slash);
    let parent = this.#parents.get(parentName);
    if (parent === undefined) {
      parent = this.#directory(parentName, entry);
      this.#parents.set(parentName, parent);
    }
    return `${parent === "/" ? "" : parent}/${name.slice(slash + 1)}`;
  }

  /** Walks down to a directory, making what is missing and following symlinks as seen from the layer's root. */
  #directory(name: string, entry: Pick<TarEntry, "name">): string {
    const pending = name.split("/").reverse();
    let path = "/";
    let symlinks = 0;
    for (let component = pending.pop(); component !== undefined; component = pending.pop()) {
      if (component === "" || component === ".") continue;
      if (component === "..") {
        path = path.slice(0, path.lastIndexOf("/")) || "/";
        continue;
      }
      const next = `${path === "/" ? "" : path}/${component}`;
      const there = lstat(next);
      if (there?.isSymbolicLink()) {
        if (++symlinks > maxSymlinks) throw malformed("too many symlinks on the way", entry.name);
        const target = readlinkSync(toPath(next), "latin1");
        pending.push(...target.split("/").reverse());
        if (target.startsWith("/")) path = "/";
        continue;
      }
      if (there === undefined || this.#whiteouts.has(next)) this.#makeDirectory(next, 0o755);
      else if (!there.isDirectory()) throw malformed(`${JSON.stringify(next)} is not a directory`, entry.name);
      path = next;
    }
    return path;
  }

  /** A directory that is there already stays. */
  #makeDirectory(path: string, mode: number): void {
    const hides = this.#whiteouts.has(path);
    this.#whenFree(path, () => mkdirSync(toPath(path), mode), "keep directory");
    if (hides) makeOpaque(path);
  }

  /** Makes something new at `path`; what the layer put there before goes. Never writes through it. */
  #whenFree<T>(path: string, make: () => T, keep?: "keep directory"): T | undefined {
    try {
      return make();
    } catch (error) {
      const there = errnoCode(error) === "EEXIST" ? lstat(path) : undefined;
      if (there === undefined) throw error;
      if (keep !== undefined && there.isDirectory()) return undefined;
      this.#remove(path, there);
    }
    return make();
  }

  #remove(path: string, there: Stats): void {
    this.#whiteouts.delete(path);
    if (!there.isDirectory()) unlinkSync(toPath(path));
    else rmSync(toPath(path), { recursive: true });
    if (there.isFile()) return;
    this.#parents.clear();
    for (const name of [...this.#directoryTimes.keys()]) {
      if (name === path || name.startsWith(`${path}/`)) this.#directoryTimes.delete(name);
    }
    for (const name of [...this.#whiteouts]) if (name.startsWith(`${path}/`)) this.#whiteouts.delete(name);
  }
}

function lstat(path: string): Stats | undefined {
  return lstatSync(toPath(path), { throwIfNoEntry: false });
}

function makeNode(path: string, mode: number, device: bigint): void {
  call("int mknod(const void *path, unsigned int mode, uint64_t device)", toDisplay(path), toCString(path), mode, device);
}

function makeOpaque(path: string): void {
  setXattr(path, "trusted.overlay.opaque", Buffer.from("y"));
}

/** Only what an image may decide: `trusted.*` steers overlayfs, `security.*` the host's policy. */
function isAllowedXattr(name: string): boolean {
  return name === "security.capability" || name.startsWith("user.");
}

function setXattrs(entry: TarEntry, target: string | number): void {
  for (const [name, value] of entry.xattrs) {
    if (isAllowedXattr(name)) setXattr(target, name, value);
  }
}

/** By path, not following a symlink, or by open file. */
function setXattr(target: string | number, name: string, value: Uint8Array): void {
  if (typeof target === "number") {
    call("int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)", name, target, name, value, value.length, 0);
  } else {
    const declaration = "int lsetxattr(const void *path, const char *name, const void *value, size_t size, int flags)";
    call(declaration, `${name} of ${toDisplay(target)}`, toCString(target), name, value, value.length, 0);
  }
}
