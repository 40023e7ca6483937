/**
 * The few system calls Node lacks, through koffi. Each wrapper throws an {@link ErrnoError} that names call and object,
 * as `node:fs` does. All of them are synchronous: they take microseconds, where a child process takes milliseconds.
 */
import { constants } from "node:os";
import koffi from "koffi";

export class ErrnoError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;

  constructor(syscall: string, errno: number, subject: string) {
    const code = errnoNames.get(errno) ?? `errno ${errno}`;
    super(`${code}: ${syscall} ${subject}`.trim());
    this.name = "ErrnoError";
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
  }
}

const errnoNames = new Map<number, string>(Object.entries(constants.errno).map(([name, value]) => [value, name]));

/** `code` of a Node or libc error, such as `ENOENT`. */
export function errnoCode(thrown: unknown): string | undefined {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : undefined;
}

const libc = koffi.load("libc.so.6");

type NativeFunction = (...args: unknown[]) => number;
const natives = new Map<string, NativeFunction>();

/** Looks a function up on its first use, so that importing this file costs nothing but koffi itself. */
function native(declaration: string): NativeFunction {
  let found = natives.get(declaration);
  if (found === undefined) {
    found = libc.func(declaration) as unknown as NativeFunction;
    natives.set(declaration, found);
  }
  return found;
}

/** Calls a function that answers -1 and sets errno on failure. */
export function call(declaration: string, subject: string, ...args: readonly unknown[]): number {
  const result = native(declaration)(...args);
  if (result === -1) {
    // At once: whatever else runs on this thread, a garbage collection among it, may set it anew.
    const errno = koffi.errno();
    throw new ErrnoError(/(\w+)\s*\(/.exec(declaration)?.[1] ?? declaration, errno, subject);
  }
  return result;
}

const inFlight = new Set<readonly unknown[]>();

/** As {@link call}, on a pool thread: for the few calls that keep the kernel busy for milliseconds. */
export function callInBackground(declaration: string, subject: string, ...args: readonly unknown[]): Promise<number> {
  const name = /(\w+)\s*\(/.exec(declaration)?.[1] ?? declaration;
  // Buffers among the arguments must outlive the call.
  inFlight.add(args);
  return new Promise((resolve, reject) => {
    libc.func(declaration).async(...args, (error: unknown, result: number) => {
      inFlight.delete(args);
      if (error) reject(error);
      else if (result === -1) reject(new ErrnoError(name, koffi.errno(), subject));
      else resolve(result);
    });
  });
}

export const MS = { RDONLY: 1, NOSUID: 2, NODEV: 4, NOEXEC: 8, REMOUNT: 32, BIND: 4096, REC: 16384, PRIVATE: 1 << 18, SLAVE: 1 << 19 } as const;
export const MNT_DETACH = 2;
export const CLONE = { NEWNS: 0x20000, FS: 0x200, NEWNET: 0x40000000 } as const;

export function mount(source: string, target: string, type: string | null, flags: number, data: string | null): void {
  call("int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)", target, source, target, type, flags, data);
}

/** `false` when nothing was mounted there. */
export function unmount(target: string, flags = 0): boolean {
  try {
    call("int umount2(const char *target, int flags)", target, target, flags);
    return true;
  } catch (error) {
    if (errnoCode(error) === "EINVAL" || errnoCode(error) === "ENOENT") return false;
    throw error;
  }
}

export function unshare(flags: number): void {
  call("int unshare(int flags)", "", flags);
}

export function setns(fd: number, kind: number): void {
  call("int setns(int fd, int kind)", "", fd, kind);
}

export function chroot(path: string): void {
  call("int chroot(const char *path)", path, path);
}

export function fchdir(fd: number): void {
  call("int fchdir(int fd)", "", fd);
}

/** `device` as the kernel's dev_t; see {@link makedev}. */
export function mknod(path: string, mode: number, device: bigint): void {
  call("int mknod(const char *path, unsigned int mode, uint64_t device)", path, path, mode, device);
}

export function makedev(major: number, minor: number): bigint {
  const [a, b] = [BigInt(major), BigInt(minor)];
  return ((a & 0xfffff000n) << 32n) | ((a & 0xfffn) << 8n) | ((b & 0xffffff00n) << 12n) | (b & 0xffn);
}

export function major(device: number): number {
  const d = BigInt(device);
  return Number(((d >> 32n) & 0xfffff000n) | ((d >> 8n) & 0xfffn));
}

export function minor(device: number): number {
  const d = BigInt(device);
  return Number(((d >> 12n) & 0xffffff00n) | (d & 0xffn));
}

export function lsetxattr(path: string, name: string, value: Uint8Array): void {
  call("int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)", path, path, name, value, value.length, 0);
}

/** `undefined` when the attribute is absent. */
export function lgetxattr(path: string, name: string): Uint8Array | undefined {
  const buffer = new Uint8Array(65536);
  try {
    const length = call("long lgetxattr(const char *path, const char *name, _Out_ void *value, size_t size)", path, path, name, buffer, buffer.length);
    return buffer.slice(0, length);
  } catch (error) {
    if (errnoCode(error) === "ENODATA" || errnoCode(error) === "ENOTSUP" || errnoCode(error) === "EOPNOTSUPP") return undefined;
    throw error;
  }
}

/** Writes the whole file system of `fd` to its disk. */
export function syncfs(fd: number): void {
  call("int syncfs(int fd)", "", fd);
}

const LOCK_EX = 2;
const LOCK_NB = 4;
const flockDeclaration = "int flock(int fd, int operation)";

/** `false` when another open file holds the lock. The lock dies with the file descriptor, so also with the process. */
export function tryLock(fd: number): boolean {
  try {
    call(flockDeclaration, "", fd, LOCK_EX | LOCK_NB);
    return true;
  } catch (error) {
    if (errnoCode(error) === "EAGAIN" || errnoCode(error) === "EWOULDBLOCK") return false;
    throw error;
  }
}

const SYS_pidfd_open = 434;
const SYS_pidfd_send_signal = 424;
const SYS_openat2 = 437;
const syscallDeclaration = "long syscall(long number, ...)";

/** A descriptor that stays bound to this very process, also when its pid is used again. */
export function pidfdOpen(pid: number): number {
  return call(syscallDeclaration, `pidfd_open ${pid}`, SYS_pidfd_open, "int", pid, "unsigned int", 0);
}

export function pidfdSendSignal(pidfd: number, signal: number): void {
  call(syscallDeclaration, `pidfd_send_signal ${signal}`, SYS_pidfd_send_signal, "int", pidfd, "int", signal, "void *", null, "unsigned int", 0);
}

export const RESOLVE_IN_ROOT = 0x10;
export const RESOLVE_NO_MAGICLINKS = 0x02;
export const O_PATH = 0o10000000;
export const O_CLOEXEC = 0o2000000;

/** Opens `path` as seen from inside `rootFd`: the kernel keeps `..` and symlinks within it. */
export function openInRoot(rootFd: number, path: string, flags: number): number {
  const how = new BigUint64Array([BigInt(flags | O_CLOEXEC), 0n, BigInt(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)]);
  return call(syscallDeclaration, `openat2 ${path}`, SYS_openat2, "int", rootFd, "const char *", path, "void *", how, "size_t", how.byteLength);
}

export function ioctl(fd: number, request: number | bigint, argument: NodeJS.ArrayBufferView): number {
  return call("int ioctl(int fd, unsigned long request, _Inout_ void *argument)", `0x${request.toString(16)}`, fd, request, argument);
}

const TIOCSWINSZ = 0x5414;

export function setWindowSize(fd: number, rows: number, cols: number): void {
  ioctl(fd, TIOCSWINSZ, new Uint16Array([rows, cols, 0, 0]));
}

const F_SETFD = 2;
const FD_CLOEXEC = 1;
const TCSANOW = 0;

/** A new pseudo-terminal pair. Children get it only where they are handed it: an end that leaked would never close. */
export function openpty(): { master: number; slave: number } {
  const pair = [new Int32Array(1), new Int32Array(1)] as const;
  call("int openpty(_Out_ int *master, _Out_ int *slave, void *name, void *termios, void *size)", "", ...pair, null, null, null);
  const [master, slave] = [pair[0][0] ?? -1, pair[1][0] ?? -1];
  for (const fd of [master, slave]) call("int fcntl(int fd, int command, int value)", "F_SETFD", fd, F_SETFD, FD_CLOEXEC);
  return { master, slave };
}

const FIONREAD = 0x541b;

/** Bytes that can be read now. */
export function pendingBytes(fd: number): number {
  const count = new Int32Array(1);
  ioctl(fd, FIONREAD, count);
  return count[0] ?? 0;
}

/** The terminal passes bytes as they are: no echo, no signals, no line ends of its own. */
export function makeRaw(fd: number): void {
  const termios = new Uint8Array(64);
  call("int tcgetattr(int fd, _Out_ void *termios)", "", fd, termios);
  call("void cfmakeraw(_Inout_ void *termios)", "", termios);
  call("int tcsetattr(int fd, int actions, const void *termios)", "", fd, TCSANOW, termios);
}
