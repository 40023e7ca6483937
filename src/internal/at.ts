/**
 * System calls on a name inside an open directory, which Node lacks: nothing that happens to the path of that directory
 * meanwhile can lead them elsewhere. Names are byte strings (one character per byte) without a slash. None follows a symlink.
 */
import { call, errnoCode, ErrnoError, O_CLOEXEC, openInRoot } from "./libc.ts";

export const AT_EMPTY_PATH = 0x1000;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;

/** What statx(2) says; times in nanoseconds since 1970. */
export interface FileStatus {
  /** Type bits and permissions. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly ino: bigint;
  readonly mtimeNs: bigint;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  readonly devMajor: number;
  readonly devMinor: number;
  /** On a mount of its own since Linux 5.8; else 0. */
  readonly mountId: bigint;
}

export const S_IFMT = 0o170000;
export const S_IF = { socket: 0o140000, symlink: 0o120000, file: 0o100000, block: 0o060000, directory: 0o040000, character: 0o020000, fifo: 0o010000 } as const;

const STATX_BASIC_STATS = 0x7ff;
const STATX_MNT_ID = 0x1000;
const statxBuffer = Buffer.alloc(256);

/** Of the name, or with an empty name of `dirFd` itself. Throws ENOENT and the like. */
export function statAt(dirFd: number, name: string): FileStatus {
  const flags = AT_SYMLINK_NOFOLLOW | (name === "" ? AT_EMPTY_PATH : 0);
  const declaration = "int statx(int dirFd, const void *name, int flags, unsigned int mask, _Out_ void *status)";
  call(declaration, name, dirFd, cString(name), flags, STATX_BASIC_STATS | STATX_MNT_ID, statxBuffer);
  const b = statxBuffer;
  return {
    mode: b.readUInt16LE(28),
    nlink: b.readUInt32LE(16),
    uid: b.readUInt32LE(20),
    gid: b.readUInt32LE(24),
    size: Number(b.readBigUInt64LE(40)),
    ino: b.readBigUInt64LE(32),
    mtimeNs: b.readBigInt64LE(112) * 1_000_000_000n + BigInt(b.readUInt32LE(120)),
    rdevMajor: b.readUInt32LE(128),
    rdevMinor: b.readUInt32LE(132),
    devMajor: b.readUInt32LE(136),
    devMinor: b.readUInt32LE(140),
    mountId: (b.readUInt32LE(0) & STATX_MNT_ID) === 0 ? 0n : b.readBigUInt64LE(144),
  };
}

/** `undefined` where nothing of that name is. */
export function statAtIfThere(dirFd: number, name: string): FileStatus | undefined {
  try {
    return statAt(dirFd, name);
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

const O_NOFOLLOW = 0o400000;

export function openAt(dirFd: number, name: string, flags: number, mode = 0): number {
  return call("int openat(int dirFd, const void *name, int flags, unsigned int mode)", name, dirFd, cString(name), flags | O_NOFOLLOW | O_CLOEXEC, mode);
}

export function mkdirAt(dirFd: number, name: string, mode: number): void {
  call("int mkdirat(int dirFd, const void *name, unsigned int mode)", name, dirFd, cString(name), mode);
}

export function symlinkAt(target: string, dirFd: number, name: string): void {
  call("int symlinkat(const void *target, int dirFd, const void *name)", name, cString(target), dirFd, cString(name));
}

/** Another name for what `fromName` in `fromFd` is. */
export function linkAt(fromFd: number, fromName: string, dirFd: number, name: string): void {
  call("int linkat(int fromFd, const void *fromName, int dirFd, const void *name, int flags)", name, fromFd, cString(fromName), dirFd, cString(name), 0);
}

/** `device` as of `makedev`. */
export function mknodAt(dirFd: number, name: string, mode: number, device: bigint): void {
  call("int mknodat(int dirFd, const void *name, unsigned int mode, uint64_t device)", name, dirFd, cString(name), mode, device);
}

export function unlinkAt(dirFd: number, name: string): void {
  call("int unlinkat(int dirFd, const void *name, int flags)", name, dirFd, cString(name), 0);
}

export function rmdirAt(dirFd: number, name: string): void {
  call("int unlinkat(int dirFd, const void *name, int flags)", name, dirFd, cString(name), AT_REMOVEDIR);
}

export function chownAt(dirFd: number, name: string, uid: number, gid: number): void {
  const declaration = "int fchownat(int dirFd, const void *name, unsigned int uid, unsigned int gid, int flags)";
  call(declaration, name, dirFd, cString(name), uid, gid, AT_SYMLINK_NOFOLLOW);
}

const UTIME_OMIT = 0x3ffffffen;
const timesBuffer = Buffer.alloc(32);

/** Sets the time of change of a name, or with an empty name of the open file; the time of access stays. */
export function setMtimeAt(dirFd: number, name: string, mtimeNs: bigint): void {
  const nanoseconds = ((mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  timesBuffer.writeBigInt64LE(UTIME_OMIT, 8);
  timesBuffer.writeBigInt64LE((mtimeNs - nanoseconds) / 1_000_000_000n, 16);
  timesBuffer.writeBigInt64LE(nanoseconds, 24);
  if (name === "") call("int futimens(int fd, const void *times)", "", dirFd, timesBuffer);
  else call("int utimensat(int dirFd, const void *name, const void *times, int flags)", name, dirFd, cString(name), timesBuffer, AT_SYMLINK_NOFOLLOW);
}

const linkBuffer = Buffer.alloc(4096);

export function readlinkAt(dirFd: number, name: string): string {
  const length = call(
    "long readlinkat(int dirFd, const void *name, _Out_ void *target, size_t size)",
    name,
    dirFd,
    cString(name),
    linkBuffer,
    linkBuffer.length,
  );
  return linkBuffer.toString("latin1", 0, length);
}

export interface DirectoryEntry {
  readonly name: string;
  /** `DT_…` of dirent.h; 0 where the file system does not say. */
  readonly type: number;
}

export const DT = { unknown: 0, directory: 4, file: 8 } as const;
const direntBuffer = Buffer.alloc(64 * 1024);

/** All names of a directory but `.` and `..`, sorted by their bytes. */
export function readDirectory(fd: number): DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  for (;;) {
    const length = call("long getdents64(int fd, _Out_ void *entries, size_t size)", "", fd, direntBuffer, direntBuffer.length);
    if (length === 0) break;
    for (let at = 0; at < length; ) {
      const size = direntBuffer.readUInt16LE(at + 16);
      const name = direntBuffer.toString("latin1", at + 19, direntBuffer.indexOf(0, at + 19));
      if (name !== "." && name !== "..") entries.push({ name, type: direntBuffer[at + 18] ?? 0 });
      at += size;
    }
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

const namesBuffer = Buffer.alloc(64 * 1024);
const valueBuffer = Buffer.alloc(64 * 1024);
const noXattrs: ReadonlyMap<string, Uint8Array> = new Map();

/** Extended attributes of an open file whose names `wants`; none where the file system has none. */
export function readXattrs(fd: number, wants: (name: string) => boolean): ReadonlyMap<string, Uint8Array> {
  const length = orNothing(() => call("long flistxattr(int fd, _Out_ void *names, size_t size)", "", fd, namesBuffer, namesBuffer.length));
  if (length === 0) return noXattrs;
  const names = namesBuffer.toString("latin1", 0, length).split("\0").filter(Boolean).filter(wants);
  const found = new Map<string, Uint8Array>();
  for (const name of names) {
    const size = call("long fgetxattr(int fd, const void *name, _Out_ void *value, size_t size)", name, fd, cString(name), valueBuffer, valueBuffer.length);
    found.set(name, Uint8Array.from(valueBuffer.subarray(0, size)));
  }
  return found;
}

export function setXattr(fd: number, name: string, value: Uint8Array): void {
  call("int fsetxattr(int fd, const void *name, const void *value, size_t size, int flags)", name, fd, cString(name), value, value.length, 0);
}

/** As {@link openInRoot}, tried again while renames elsewhere keep the kernel from being sure where `..` leads. */
export function resolveInRoot(rootFd: number, path: string, flags: number): number {
  for (let tries = 0; ; tries += 1) {
    try {
      return openInRoot(rootFd, path, flags);
    } catch (error) {
      if (errnoCode(error) !== "EAGAIN" || tries === 1000) throw error;
    }
  }
}

const SYS_openat2 = 437;
const RESOLVE = { NO_MAGICLINKS: 0x02n, NO_SYMLINKS: 0x04n, BENEATH: 0x08n } as const;

/**
 * Opens a path of several names, which is a byte string. Symlinks on the way are followed as far as the thread's own root
 * reaches, but never the links of /proc, which lead anywhere; `beneath` follows none and stays below `dirFd`.
 */
export function openPath(dirFd: number, path: string, flags: number, beneath = false): number {
  const resolve = beneath ? RESOLVE.NO_SYMLINKS | RESOLVE.BENEATH : RESOLVE.NO_MAGICLINKS;
  const how = new BigUint64Array([BigInt(flags | O_CLOEXEC), 0n, resolve]);
  const declaration = "long syscall(long number, ...)";
  return call(declaration, `openat2 ${path}`, SYS_openat2, "int", dirFd, "void *", cString(path), "void *", how, "size_t", how.byteLength);
}

const statvfsBuffer = Buffer.alloc(256);

/** Whether the mount an open file is on takes no writes. */
export function isReadOnlyMount(fd: number): boolean {
  call("int fstatvfs(int fd, _Out_ void *status)", "", fd, statvfsBuffer);
  const ST_RDONLY = 1n;
  return (statvfsBuffer.readBigUInt64LE(72) & ST_RDONLY) !== 0n;
}

function orNothing(read: () => number): number {
  try {
    return read();
  } catch (error) {
    if (error instanceof ErrnoError && (error.code === "ENOTSUP" || error.code === "EOPNOTSUPP" || error.code === "EPERM")) return 0;
    throw error;
  }
}

function cString(name: string): Buffer {
  return Buffer.from(`${name}\0`, "latin1");
}
