/** Named and anonymous volumes: a directory each, made on first use and seeded with the image's content (Docker's copy-up). */
import { chmodSync, chownSync, closeSync, existsSync, fstatSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { BerthError } from "../../errors.ts";
import { errnoCode, O_PATH, openInRoot, syncfs } from "../../internal/libc.ts";
import { runToEnd } from "../../internal/spawn.ts";

const O_DIRECTORY = 0o200000;

export class Volumes {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  path(name: string): string {
    return join(this.#root, name, "_data");
  }

  exists(name: string): boolean {
    return existsSync(this.path(name));
  }

  /**
   * Makes the volume unless it is there. It appears by rename, seeded and synced, so a half-filled one is never seen.
   * `rootfs` is the mounted root of the container that uses it first; `target` is resolved inside it by the kernel.
   */
  async ensure(name: string, rootfs: string, target: string): Promise<void> {
    if (this.exists(name)) return;
    const staging = join(this.#root, `.${name}.${process.pid}.${Math.random().toString(36).slice(2)}`);
    const data = join(staging, "_data");
    mkdirSync(data, { recursive: true, mode: 0o755 });
    try {
      await seed(data, rootfs, target);
      renameSync(staging, join(this.#root, name));
    } catch (cause) {
      rmSync(staging, { recursive: true, force: true });
      if (this.exists(name) && (errnoCode(cause) === "ENOTEMPTY" || errnoCode(cause) === "EEXIST")) return;
      throw new BerthError("start_failed", `cannot make volume ${name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
  }

  remove(name: string): void {
    rmSync(join(this.#root, name), { recursive: true, force: true });
  }

  /** What a process that died left behind while it seeded a volume. */
  removeStaging(): void {
    for (const entry of readdirSync(this.#root)) {
      const pid = /^\..*\.(\d+)\.[a-z0-9]+$/.exec(entry)?.[1];
      if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(this.#root, entry), { recursive: true, force: true });
    }
  }

  names(): string[] {
    return readdirSync(this.#root).filter((name) => !name.startsWith("."));
  }
}

/** Copies what the image has at `target`, with owners, modes, links and attributes. */
async function seed(data: string, rootfs: string, target: string): Promise<void> {
  const rootFd = openSync(rootfs, O_PATH | O_DIRECTORY);
  let source: number | undefined;
  try {
    source = openInRoot(rootFd, target, O_PATH | O_DIRECTORY);
    const { mode, uid, gid } = fstatSync(source);
    const path = `/proc/${process.pid}/fd/${source}`;
    if (readdirSync(path).length > 0) {
      // cp keeps to the directory it is given: links inside are copied as links, never followed.
      const copied = await runToEnd("cp", ["-a", `${path}/.`, data]);
      if (copied.exitCode !== 0) throw new Error(copied.stderr);
      const fd = openSync(data, "r");
      syncfs(fd);
      closeSync(fd);
    }
    chownSync(data, uid, gid);
    chmodSync(data, mode & 0o7777);
  } catch (error) {
    if (errnoCode(error) !== "ENOENT" && errnoCode(error) !== "ENOTDIR") throw error;
  } finally {
    if (source !== undefined) closeSync(source);
    closeSync(rootFd);
  }
}

/** Host directory or file of a bind mount. Throws `invalid_spec` when it is missing. */
export function checkBindSource(source: string): "directory" | "file" {
  const found = statSync(source, { throwIfNoEntry: false });
  if (found === undefined) throw new BerthError("invalid_spec", `bind source path does not exist: ${source}; create it first`);
  return found.isDirectory() ? "directory" : "file";
}
