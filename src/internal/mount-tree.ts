/** Mounts by descriptor (Linux 5.12): trees that are cloned, changed and moved without a path somebody could swap meanwhile. */
import { call, errnoCode, O_CLOEXEC } from "./libc.ts";

const SYS = { open_tree: 428, move_mount: 429, mount_setattr: 442 } as const;
const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const AT_RECURSIVE = 0x8000;
const OPEN_TREE_CLONE = 1;
const FROM_AND_TO_DESCRIPTOR = 0x04 | 0x40;
const UMOUNT_NOFOLLOW = 8;
const MNT_DETACH = 2;

export const MOUNT_ATTR = { RDONLY: 1, NOSUID: 2, NODEV: 4, NOEXEC: 8 } as const;
const MS_PRIVATE = 1n << 18n;

function syscall(subject: string, number: number, ...args: readonly unknown[]): number {
  return call("long syscall(long number, ...)", subject, number, ...args);
}

/** A detached copy of what is mounted at `path` and below; `alone` leaves the latter out. */
export function cloneTree(path: string, o: { readonly alone?: boolean } = {}): number {
  const flags = OPEN_TREE_CLONE | O_CLOEXEC | (o.alone ? 0 : AT_RECURSIVE);
  return syscall(`open_tree ${path}`, SYS.open_tree, "int", AT_FDCWD, "const char *", path, "unsigned int", flags);
}

/** Mounts a detached tree onto an open file or directory. */
export function attachTree(tree: number, target: number): void {
  const flags = FROM_AND_TO_DESCRIPTOR;
  syscall("move_mount", SYS.move_mount, "int", tree, "const char *", "", "int", target, "const char *", "", "unsigned int", flags);
}

/** Sets attributes on a mount and all below it (unless `alone`), and cuts them off from mounts elsewhere. */
export function setTreeAttributes(target: number | "/", attributes: number, o: { readonly alone?: boolean } = {}): void {
  const request = new BigUint64Array([BigInt(attributes), 0n, MS_PRIVATE, 0n]);
  const [fd, path, empty] = target === "/" ? [AT_FDCWD, "/", 0] : [target, "", AT_EMPTY_PATH];
  const flags = empty | (o.alone ? 0 : AT_RECURSIVE);
  const size = request.byteLength;
  syscall("mount_setattr", SYS.mount_setattr, "int", fd, "const char *", path, "unsigned int", flags, "void *", request, "size_t", size);
}

/** `directory` becomes the root of this mount namespace, and nothing outside of it can be named any more. */
export function enterRoot(directory: number): void {
  call("int fchdir(int fd)", "", directory);
  call("int pivot_root(const char *root, const char *old)", ".", ".", ".");
  call("int umount2(const char *target, int flags)", ".", ".", MNT_DETACH);
}

/** Takes a mount and all below it away; `false` when nothing is mounted there. */
export function detachMount(path: string): boolean {
  try {
    call("int umount2(const char *target, int flags)", path, path, MNT_DETACH | UMOUNT_NOFOLLOW);
    return true;
  } catch (error) {
    if (errnoCode(error) === "EINVAL" || errnoCode(error) === "ENOENT") return false;
    throw error;
  }
}

export interface MountInfo {
  readonly path: string;
  readonly type: string;
}

/** Lines of /proc/<pid>/mountinfo: mount point and file system type, in the order they were mounted. */
export function parseMountInfo(text: string): MountInfo[] {
  const lines = text.split("\n").filter(Boolean);
  return lines.map((line) => {
    const [before = "", after = ""] = line.split(" - ");
    return { path: unescaped(before.split(" ")[4] ?? ""), type: after.split(" ")[0] ?? "" };
  });
}

function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
