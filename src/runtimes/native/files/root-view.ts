/**
 * A container's files as the container sees them, in a mount namespace that only one worker thread is in and that ends with
 * what it does there, also when the process is killed. Nothing of the host can be named inside, nothing executed, no device
 * opened; mounts of the kernel (/proc, /sys, /dev, cgroups) are taken away, as their links lead out of every root.
 */
import { chmodSync, chownSync, closeSync, constants, lstatSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BerthError } from "../../../errors.ts";
import { mkdirAt, openAt, resolveInRoot, setMtimeAt } from "../../../internal/at.ts";
import { call, chroot, CLONE, errnoCode, fchdir, MS, mount, O_PATH, setns, unshare } from "../../../internal/libc.ts";
import { attachTree, cloneTree, detachMount, enterRoot, MOUNT_ATTR, parseMountInfo, setTreeAttributes } from "../../../internal/mount-tree.ts";
import { performMount } from "../../../internal/mount.ts";
import { overlayMount, overlayView } from "../../../snapshots/overlay.ts";
import type { BoundMount, DiffView, RootView, StoppedRoot } from "./jobs.ts";

const { O_RDONLY, O_DIRECTORY, O_CREAT } = constants;
const kernelTypes = new Set(
  ["proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue", "devtmpfs", "securityfs", "debugfs", "tracefs", "configfs", "bpf", "pstore"].concat([
    "efivarfs",
    "binfmt_misc",
    "hugetlbfs",
    "fusectl",
    "nsfs",
    "selinuxfs",
    "autofs",
    "rpc_pipefs",
  ]),
);
const AT_FDCWD = -100;
const quiet = MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV | MOUNT_ATTR.NOEXEC;
const kernelPlaces = ["/proc", "/sys", "/dev"];

/** Lets the calling worker thread look at one container after the other. Synchronous calls of this very thread only. */
export class ViewThread {
  readonly #hostMounts: number;
  readonly #hostRoot: number;
  /** `/proc/thread-self` of the host, which stays in reach inside a view. */
  readonly self: number;

  /** Must be made on a worker thread, never on the main one. Needs CAP_SYS_ADMIN. */
  constructor() {
    unshare(CLONE.FS);
    call("int umask(unsigned int mask)", "", 0);
    this.#hostMounts = openSync("/proc/thread-self/ns/mnt", O_RDONLY);
    this.#hostRoot = openSync("/", O_RDONLY | O_DIRECTORY);
    this.self = openSync("/proc/thread-self", O_RDONLY | O_DIRECTORY);
  }

  /** Enters; the root directory is the container's until {@link leave}. Answers a descriptor of it. */
  enter(view: RootView): number {
    if (view.root.kind === "running") this.#enterRunning(view.root.namespace);
    else enterStopped(view.root, view.writable);
    this.#hideMounts(view);
    setTreeAttributes("/", quiet | (view.writable ? 0 : MOUNT_ATTR.RDONLY));
    return openSync("/", O_RDONLY | O_DIRECTORY);
  }

  /** Back to the host's mounts; what {@link enter} mounted is gone then. */
  leave(): void {
    setns(this.#hostMounts, CLONE.NEWNS);
    fchdir(this.#hostRoot);
    chroot(".");
  }

  /** Before the thread ends: its descriptors are the process's, which would keep them. */
  close(): void {
    for (const fd of [this.#hostMounts, this.#hostRoot, this.self]) closeSync(fd);
  }

  /** Opens the very file behind a descriptor again, for reading say, where that one is only O_PATH. */
  reopen(fd: number, flags: number): number {
    const path = Buffer.from(`fd/${fd}\0`);
    return call("int openat(int dirFd, const void *name, int flags, unsigned int mode)", "descriptor", this.self, path, flags | constants.O_NOCTTY, 0);
  }

  #enterRunning(namespace: number): void {
    setns(namespace, CLONE.NEWNS);
    unshare(CLONE.NEWNS);
    setTreeAttributes("/", 0);
  }

  #hideMounts({ mounts, targets }: RootView): void {
    const [, ...others] = this.#mounts();
    const isWanted = (path: string): boolean => mounts === "all" && targets.some((target) => isAtOrBelow(path, target));
    const kept = others.filter(({ path, type }) => !kernelTypes.has(type) && (isWanted(path) || (mounts === "all" && !isKernelPlace(path))));
    const gone: string[] = [];
    for (const one of others) {
      const holdsKept = kept.some(({ path }) => path !== one.path && isAtOrBelow(path, one.path));
      if (kept.includes(one) || holdsKept || gone.some((above) => one.path !== above && isAtOrBelow(one.path, above))) continue;
      // What is mounted below goes with it; several on one another go one by one.
      detachMount(one.path);
      gone.push(one.path);
    }
  }

  #mounts(): { readonly path: string; readonly type: string }[] {
    const fd = openAt(this.self, "mountinfo", O_RDONLY);
    try {
      return parseMountInfo(readFileSync(fd, "utf8"));
    } finally {
      closeSync(fd);
    }
  }
}

function isAtOrBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === "/" ? "/" : `${directory}/`);
}

function isKernelPlace(path: string): boolean {
  return kernelPlaces.some((place) => isAtOrBelow(path, place));
}

/** Mounts layers and volumes where nobody else sees them. */
function enterStopped(root: StoppedRoot, writable: boolean): void {
  unshare(CLONE.NEWNS);
  mount("none", "/", null, MS.REC | MS.PRIVATE, null);
  const rootFd = openSync(mountLayers(root, writable), O_PATH | O_DIRECTORY);
  try {
    for (const bound of root.binds) bind(rootFd, bound);
    if (root.isReadonly) setTreeAttributes(rootFd, MOUNT_ATTR.RDONLY, { alone: true });
    enterRoot(rootFd);
  } finally {
    closeSync(rootFd);
  }
}

/**
 * For reading, the container's own layer lies among the image's. Mount points that are missing yet need a layer to be made in:
 * for reading one in memory, so that a look changes nothing.
 */
function mountLayers({ lower, upper, work, scratch, binds, isReadonly }: StoppedRoot, writable: boolean): string {
  if (writable && !isReadonly) {
    performMount(overlayMount({ lower, upper, work, target: scratch }));
    return scratch;
  }
  if (binds.length === 0) {
    performMount(overlayView({ lower: [upper, ...lower], target: scratch }));
    return scratch;
  }
  mount("tmpfs", scratch, "tmpfs", 0, "mode=700");
  const [own, memory, merged] = ["upper", "work", "merged"].map((name) => join(scratch, name)) as [string, string, string];
  for (const directory of [own, memory, merged]) mkdirSync(directory, 0o755);
  // The root of an overlay takes owner, mode and times from its upper directory.
  const like = lstatSync(upper, { bigint: true });
  chownSync(own, Number(like.uid), Number(like.gid));
  chmodSync(own, Number(like.mode) & 0o7777);
  setMtimeAt(AT_FDCWD, own, like.mtimeNs);
  performMount(overlayMount({ lower: [upper, ...lower], upper: own, work: memory, target: merged }));
  return merged;
}

/** Opens both sides of a comparison, with mounts nobody else has; {@link ViewThread.leave} takes them away. */
export function openLayers({ lower, upper, scratch }: DiffView): { readonly upper: number; readonly lower: number } {
  unshare(CLONE.NEWNS);
  mount("none", "/", null, MS.REC | MS.PRIVATE, null);
  const [only, ...more] = lower;
  if (more.length > 0) performMount(overlayView({ lower, target: scratch }));
  const below = openQuietly(more.length > 0 || only === undefined ? scratch : only);
  try {
    return { upper: openQuietly(upper), lower: below };
  } catch (error) {
    closeSync(below);
    throw error;
  }
}

/** A directory through a mount of its own that opens no devices and takes no writes: what lies there is a stranger's. */
function openQuietly(path: string): number {
  const tree = cloneTree(path, { alone: true });
  try {
    setTreeAttributes(tree, quiet | MOUNT_ATTR.RDONLY);
    return openAt(tree, ".", O_RDONLY | O_DIRECTORY);
  } finally {
    closeSync(tree);
  }
}

function bind(rootFd: number, { source, target, readonly, isOptional }: BoundMount): void {
  const tree = cloneSource(source, target);
  try {
    const place = openMountPoint(rootFd, target, isOptional ? "leave" : tree.isDirectory ? "directory" : "file");
    if (place === undefined) return;
    try {
      if (readonly) setTreeAttributes(tree.fd, MOUNT_ATTR.RDONLY);
      attachTree(tree.fd, place);
    } finally {
      closeSync(place);
    }
  } catch (cause) {
    if (errnoCode(cause) !== "ENOTDIR") throw cause;
    throw new BerthError("conflict", `${source} cannot be mounted at ${target}: one is a directory and the other is not`, { cause });
  } finally {
    closeSync(tree.fd);
  }
}

function cloneSource(source: string, target: string): { readonly fd: number; readonly isDirectory: boolean } {
  try {
    const fd = cloneTree(source);
    return { fd, isDirectory: isDirectory(source) };
  } catch (cause) {
    throw new BerthError("conflict", `${source}, which is mounted at ${target}, is gone; put it back`, { cause });
  }
}

function isDirectory(path: string): boolean {
  try {
    closeSync(openSync(path, O_PATH | O_DIRECTORY));
    return true;
  } catch {
    return false;
  }
}

/** As OCI runtimes do: what is missing on the way is made, inside the container's root. */
function openMountPoint(rootFd: number, target: string, make: "directory" | "file" | "leave"): number | undefined {
  try {
    return resolveInRoot(rootFd, target, O_PATH);
  } catch (error) {
    if (errnoCode(error) !== "ENOENT") throw error;
    if (make === "leave") return undefined;
  }
  makeDirectories(rootFd, make === "directory" ? target : target.slice(0, target.lastIndexOf("/")));
  if (make === "file") closeSync(makeFile(rootFd, target));
  return resolveInRoot(rootFd, target, O_PATH);
}

function makeFile(rootFd: number, target: string): number {
  const slash = target.lastIndexOf("/");
  const parent = resolveInRoot(rootFd, target.slice(0, slash) || "/", O_PATH | O_DIRECTORY);
  try {
    return openAt(parent, Buffer.from(target.slice(slash + 1)).toString("latin1"), O_CREAT | O_RDONLY, 0o755);
  } finally {
    closeSync(parent);
  }
}

export function makeDirectories(rootFd: number, path: string): void {
  let parent = resolveInRoot(rootFd, "/", O_PATH | O_DIRECTORY);
  let sofar = "";
  try {
    for (const name of path.split("/").filter(Boolean)) {
      sofar += `/${name}`;
      try {
        mkdirAt(parent, Buffer.from(name).toString("latin1"), 0o755);
      } catch (error) {
        if (errnoCode(error) !== "EEXIST") throw error;
      }
      const next = resolveInRoot(rootFd, sofar, O_PATH | O_DIRECTORY);
      closeSync(parent);
      parent = next;
    }
  } finally {
    closeSync(parent);
  }
}
