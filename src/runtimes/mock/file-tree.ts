import { posix } from "node:path";

/** Files by absolute path; a volume is one of these under a mount point. */
export type Files = Map<string, Uint8Array>;

export interface FileMount {
  readonly target: string;
  readonly files: Files;
  readonly readonly: boolean;
}

/** What a container's processes see as files: its own layer, with volumes and tmpfs mounted into it. */
export class FileTree {
  readonly #root: Files;
  readonly #mounts: readonly FileMount[];
  readonly #cwd: string;

  constructor(o: { readonly root: Files; readonly readonlyRoot: boolean; readonly mounts: readonly FileMount[]; readonly cwd?: string | undefined }) {
    this.#root = o.root;
    this.#cwd = o.cwd ?? "/";
    const root: FileMount = { target: "/", files: o.root, readonly: o.readonlyRoot };
    // The longest target that fits is the mount that is seen.
    this.#mounts = [...o.mounts, root].sort((a, b) => b.target.length - a.target.length);
  }

  exists(path: string): boolean {
    const { files, key } = this.#locate(path);
    return files.has(key);
  }

  read(path: string): Uint8Array {
    const { files, key } = this.#locate(path);
    const bytes = files.get(key);
    if (bytes === undefined) throw new Error(`${path}: No such file or directory`);
    return bytes;
  }

  write(path: string, data: string | Uint8Array): void {
    const { files, key, readonly } = this.#locate(path);
    if (readonly) throw new Error(`${path}: Read-only file system`);
    files.set(key, Buffer.from(data));
  }

  append(path: string, data: string | Uint8Array): void {
    const before = this.exists(path) ? this.read(path) : new Uint8Array();
    this.write(path, Buffer.concat([before, Buffer.from(data)]));
  }

  remove(path: string): void {
    const { files, key, readonly } = this.#locate(path);
    if (readonly) throw new Error(`${path}: Read-only file system`);
    files.delete(key);
  }

  #locate(path: string): { readonly files: Files; readonly key: string; readonly readonly: boolean } {
    const full = posix.resolve("/", this.#cwd, path);
    const mount = this.#mounts.find(({ target }) => target === "/" || full === target || full.startsWith(`${target}/`));
    if (mount === undefined || mount.target === "/") return { files: this.#root, key: full, readonly: mount?.readonly ?? false };
    return { files: mount.files, key: full.slice(mount.target.length) || "/", readonly: mount.readonly };
  }
}
