/** Files of a container of the mock as tars: the same rules as where a kernel has them. */
import { posix } from "node:path";
import { byteChunks, plainArchive } from "../../archive/archive-source.ts";
import { type TarEntry, TarReader } from "../../archive/tar-reader.ts";
import { endOfTar, tarHeader, tarPadding } from "../../archive/tar-writer.ts";
import { BerthError, isBerthError } from "../../errors.ts";
import type { ArchivePutOptions, ByteSource, FilesystemChangeEntry, PathStat } from "../../runtime/types.ts";
import type { Container } from "./container.ts";
import type { FileMount, Files } from "./file-tree.ts";
import { lowerFiles, mountsOf } from "./mounts.ts";
import type { World } from "./world.ts";

/** Directories every image of the mock has. */
const imageDirectories = ["/bin", "/demo", "/dev", "/etc", "/home", "/proc", "/root", "/run", "/sys", "/tmp", "/usr", "/var"];
const directoryMode = 0o040755;
const fileMode = 0o100000;

/** What of a file its bytes do not say. */
interface Meta {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeMs: number;
}

const metas = new WeakMap<Uint8Array, Meta>();

export class MockFiles {
  readonly #container: Container;
  /** The longest target that fits is the mount that is seen. */
  readonly #mounts: readonly FileMount[];

  constructor(world: World, container: Container) {
    this.#container = container;
    const root: FileMount = { target: "/", files: container.files, readonly: container.spec.readOnlyRootFs };
    this.#mounts = [...mountsOf(world, container), root].sort((a, b) => b.target.length - a.target.length);
  }

  stat(path: string): PathStat {
    const full = this.#resolve(path);
    const bytes = this.#file(full);
    const { mode, mtimeMs } = this.#meta(bytes);
    const type = bytes === undefined ? directoryMode : fileMode | mode;
    return { name: entryName(path), size: bytes?.length ?? 4096, mode: type, mtime: new Date(mtimeMs).toISOString(), linkTarget: "" };
  }

  async *archive(path: string): AsyncGenerator<Uint8Array> {
    yield* this.#members(this.#resolve(path), entryName(path), "all");
    yield endOfTar;
  }

  async *exported(): AsyncGenerator<Uint8Array> {
    for (const name of this.#children("/")) yield* this.#members(`/${name}`, name, "root");
    yield endOfTar;
  }

  async put(path: string, tar: ByteSource, o: ArchivePutOptions, signal: AbortSignal | undefined): Promise<void> {
    const directory = this.#resolve(path);
    if (this.#file(directory) !== undefined) throw new BerthError("invalid_spec", `extraction point is not a directory: ${path}`);
    if (this.#locate(directory).readonly) throw readOnly(path);
    const reader = new TarReader(this.#writer(directory, o));
    try {
      for await (const chunk of plainArchive(byteChunks(tar))) {
        signal?.throwIfAborted();
        reader.write(chunk);
      }
      reader.finish();
    } catch (error) {
      if (isBerthError(error, "pull_failed"))
        throw new BerthError("invalid_spec", error.message.replace(/^malformed layer/, "malformed archive"), { cause: error });
      throw error;
    }
  }

  /** Against the files of the image. */
  changes(): readonly FilesystemChangeEntry[] {
    const { files } = this.#container;
    const lower = lowerFiles(this.#container);
    const found = new Map<string, FilesystemChangeEntry["kind"]>();
    const note = (path: string, kind: FilesystemChangeEntry["kind"]): void => {
      found.set(path, kind);
      for (let parent = posix.dirname(path); parent !== "/" && !found.has(parent); parent = posix.dirname(parent)) {
        const isOld = imageDirectories.includes(parent) || [...lower.keys()].some((key) => key.startsWith(`${parent}/`));
        found.set(parent, isOld ? "modified" : "added");
      }
    };
    for (const [key, bytes] of files) if (lower.get(key) !== bytes) note(key.replace(/\/$/, ""), lower.has(key) ? "modified" : "added");
    for (const key of lower.keys()) if (!files.has(key)) note(key.replace(/\/$/, ""), "deleted");
    return [...found].map(([path, kind]) => ({ path, kind })).sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  *#members(path: string, name: string, which: "all" | "root"): Generator<Uint8Array> {
    const bytes = this.#file(path);
    const { mode, uid, gid, mtimeMs } = this.#meta(bytes);
    const mtimeNs = BigInt(Math.floor(mtimeMs)) * 1_000_000n;
    if (bytes !== undefined) {
      yield tarHeader({ type: "file", name, size: bytes.length, mode, uid, gid, mtimeNs });
      yield bytes;
      yield Buffer.alloc(tarPadding(bytes.length));
      return;
    }
    yield tarHeader({ type: "directory", name, mode: 0o755, uid: 0, gid: 0, mtimeNs });
    if (which === "root" && this.#mounts.some(({ target }) => target === path)) return;
    const prefix = name.endsWith("/") ? name : `${name}/`;
    for (const child of this.#children(path)) yield* this.#members(posix.join(path, child), `${prefix}${child}`, which);
  }

  #writer(directory: string, o: ArchivePutOptions): { begin(entry: TarEntry): void; data(chunk: Buffer): void; end(): void } {
    let file: { readonly entry: TarEntry; readonly parts: Buffer[] } | undefined;
    return {
      begin: (entry) => {
        const path = posix.join(directory, nameBelow(entry.name, entry));
        if (entry.type === "hardlink") nameBelow(entry.linkName, entry);
        if (path !== directory) this.#clear(path, entry, o);
        file = { entry, parts: [] };
        if (entry.type === "directory" && path !== directory) this.#set(`${path}/`, new Uint8Array(), entry);
        if (entry.type === "file" && entry.size === 0) this.#set(path, new Uint8Array(), entry);
      },
      data: (chunk) => void file?.parts.push(Buffer.from(chunk)),
      end: () => {
        if (file !== undefined && file.entry.type === "file") {
          this.#set(posix.join(directory, nameBelow(file.entry.name, file.entry)), Buffer.concat(file.parts), file.entry);
        }
        file = undefined;
      },
    };
  }

  /** Makes room for an entry; a directory stays for a directory. */
  #clear(path: string, entry: TarEntry, o: ArchivePutOptions): void {
    const [isFile, isDirectory] = [this.#file(path) !== undefined, this.#isDirectory(path)];
    if (!isFile && !isDirectory) return;
    if (isDirectory && entry.type === "directory") return;
    if (o.noOverwriteDirNonDir === true && isDirectory !== (entry.type === "directory")) {
      throw new BerthError("invalid_spec", `archive entry ${JSON.stringify(entry.name)} would replace a directory by something else, or the reverse`);
    }
    const { files, key } = this.#locate(path);
    for (const known of [...files.keys()]) if (known === key || known.startsWith(`${key}/`)) files.delete(known);
  }

  #set(path: string, bytes: Uint8Array, { mode, uid, gid, mtime }: TarEntry): void {
    const { files, key, readonly } = this.#locate(path);
    if (readonly) throw readOnly(path);
    metas.set(bytes, { mode, uid, gid, mtimeMs: mtime * 1000 });
    files.set(path.endsWith("/") && !key.endsWith("/") ? `${key}/` : key, bytes);
  }

  #meta(bytes: Uint8Array | undefined): Meta {
    const known = bytes === undefined ? undefined : metas.get(bytes);
    return known ?? { mode: 0o644, uid: 0, gid: 0, mtimeMs: this.#container.setup.createdAt.getTime() };
  }

  /** An absolute path of something that is there. Throws `not_found`, and `invalid_spec` for what is no path. */
  #resolve(path: string): string {
    if (path === "" || path.includes("\0")) throw new BerthError("invalid_spec", "the path is empty or holds a NUL byte");
    const full = posix.resolve("/", path);
    const needsDirectory = /\/\.{0,2}$/.test(path) && full !== "/";
    const isThere = this.#isDirectory(full) || (this.#file(full) !== undefined && !needsDirectory);
    if (!isThere) throw new BerthError("not_found", `no such path in the container: ${path}`, { reason: "no such file or directory" });
    return full;
  }

  #file(path: string): Uint8Array | undefined {
    const { files, key } = this.#locate(path);
    return files.get(key);
  }

  #isDirectory(path: string): boolean {
    if (path === "/" || imageDirectories.includes(path)) return true;
    if (this.#mounts.some(({ target }) => target === path || target.startsWith(`${path}/`))) return true;
    const { files, key } = this.#locate(path);
    return [...files.keys()].some((known) => known.startsWith(`${key}/`));
  }

  #children(path: string): readonly string[] {
    const prefix = path === "/" ? "/" : `${path}/`;
    const { files, key } = this.#locate(path);
    const inside = key === "/" ? "/" : `${key}/`;
    const below = [...files.keys()].filter((known) => known.startsWith(inside)).map((known) => known.slice(inside.length));
    const others = [...imageDirectories, ...this.#mounts.map(({ target }) => target)]
      .filter((known) => known.startsWith(prefix))
      .map((known) => known.slice(prefix.length));
    const names = [...below, ...others].map((rest) => rest.split("/")[0] ?? "").filter((name) => name !== "");
    return [...new Set(names)].sort();
  }

  #locate(path: string): { readonly files: Files; readonly key: string; readonly readonly: boolean } {
    const mount = this.#mounts.find(({ target }) => target === "/" || path === target || path.startsWith(`${target}/`));
    if (mount === undefined || mount.target === "/") return { files: this.#container.files, key: path, readonly: mount?.readonly ?? false };
    return { files: mount.files, key: path.slice(mount.target.length) || "/", readonly: mount.readonly };
  }
}

function entryName(path: string): string {
  if (/(^|\/)\.$/.test(path)) return ".";
  return posix.basename(posix.resolve("/", path)) || "/";
}

function nameBelow(name: string, entry: TarEntry): string {
  const normal = posix.normalize(name.replace(/^\/+/, ""));
  if (normal === ".." || normal.startsWith("../")) {
    throw new BerthError("invalid_spec", `archive entry ${JSON.stringify(entry.name)} leads out of the directory it is to be written to`);
  }
  return normal.replace(/\/$/, "");
}

function readOnly(path: string): BerthError {
  return new BerthError("invalid_spec", `cannot write to ${path}: the root file system or the volume there is mounted read-only`);
}
