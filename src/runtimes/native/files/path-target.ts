/** What a path of a caller means inside a container (contract 2.7, "Common rules"): resolved by the kernel, within its root. */
import { closeSync } from "node:fs";
import { posix } from "node:path";
import { BerthError } from "../../../errors.ts";
import { type FileStatus, readlinkAt, resolveInRoot, S_IF, S_IFMT, statAt } from "../../../internal/at.ts";
import { errnoCode, O_PATH } from "../../../internal/libc.ts";
import type { PathStat } from "../../../runtime/types.ts";

const O_NOFOLLOW = 0o400000;
const maxSymlinks = 255;

/** Throws `invalid_spec` for what is no path at all. */
export function checkPath(path: string): void {
  if (path === "") throw new BerthError("invalid_spec", "the path is empty; name a file or directory of the container");
  if (path.includes("\0")) throw new BerthError("invalid_spec", "the path holds a NUL byte");
}

/** A symlink at the end is meant itself, unless the path goes on behind it: with `/`, `/.` or `/..`. */
function followsLast(path: string): boolean {
  return /(^|\/)\.{0,2}$/.test(path);
}

/** Base name that archive entries begin with, as Docker has it: `.` after a trailing `/.`, `/` for the root. */
export function entryName(path: string): string {
  if (/(^|\/)\.$/.test(path)) return ".";
  const clean = posix.resolve("/", path);
  return clean === "/" ? "/" : clean.slice(clean.lastIndexOf("/") + 1);
}

/** An O_PATH descriptor of what the path names. Throws `not_found`, naming it. */
export function openTarget(rootFd: number, path: string, o: { readonly follow?: boolean } = {}): number {
  try {
    return resolveInRoot(rootFd, `/${path}`, O_PATH | (o.follow === true || followsLast(path) ? 0 : O_NOFOLLOW));
  } catch (error) {
    throw pathError(error, path);
  }
}

function pathError(error: unknown, path: string): unknown {
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: "no such file or directory",
    ENOTDIR: "something on the way is not a directory",
    ELOOP: "the symbolic links on the way lead in a circle",
  };
  const reason = reasons[errnoCode(error) ?? ""];
  if (reason !== undefined) return new BerthError("not_found", `no such path in the container: ${path}: ${reason}`, { reason, cause: error });
  if (errnoCode(error) === "ENAMETOOLONG") return new BerthError("invalid_spec", `the path is too long: ${path.slice(0, 100)}…`, { cause: error });
  return error;
}

export function pathStat(rootFd: number, fd: number, path: string): PathStat {
  const status = statAt(fd, "");
  const isLink = (status.mode & S_IFMT) === S_IF.symlink;
  return {
    name: entryName(path),
    size: status.size,
    mode: status.mode,
    mtime: rfc3339(status),
    linkTarget: isLink ? linkTarget(rootFd, path) : "",
  };
}

function rfc3339({ mtimeNs }: FileStatus): string {
  const second = 1_000_000_000n;
  const nanoseconds = ((mtimeNs % second) + second) % second;
  const whole = new Date(Number((mtimeNs - nanoseconds) / 1_000_000n)).toISOString();
  const fraction = nanoseconds === 0n ? "" : `.${String(nanoseconds).padStart(9, "0").replace(/0+$/, "")}`;
  return whole.replace(/\.\d+Z$/, `${fraction}Z`);
}

/** Where a symlink leads, as an absolute path; of what is not there as far as it can be told. */
function linkTarget(rootFd: number, path: string): string {
  const pending = path.split("/").reverse();
  let resolved = "";
  let links = 0;
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      resolved = resolved.slice(0, Math.max(0, resolved.lastIndexOf("/")));
      continue;
    }
    const link = links < maxSymlinks ? readLink(rootFd, `${resolved}/${name}`) : undefined;
    if (link === undefined) {
      resolved += `/${name}`;
      continue;
    }
    links += 1;
    pending.push(...link.split("/").reverse());
    if (link.startsWith("/")) resolved = "";
  }
  return resolved === "" ? "/" : resolved;
}

function readLink(rootFd: number, path: string): string | undefined {
  let fd: number;
  try {
    fd = resolveInRoot(rootFd, path, O_PATH | O_NOFOLLOW);
  } catch {
    return undefined;
  }
  try {
    return (statAt(fd, "").mode & S_IFMT) === S_IF.symlink ? Buffer.from(readlinkAt(fd, ""), "latin1").toString() : undefined;
  } finally {
    closeSync(fd);
  }
}
