/**
 * Volumes: a directory each, made by name or by a container's first use, used by any number of containers. Any number of
 * processes may work on the same store. Intent, effect, done: the row comes before the directory and goes after it, and a
 * directory appears and disappears by rename, so a half-filled or half-removed one is never seen.
 */
import { randomBytes } from "node:crypto";
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { BerthError } from "../errors.ts";
import { acquireLock } from "../internal/acquire-lock.ts";
import { FileLock } from "../internal/file-lock.ts";
import { MNT_DETACH, unmount } from "../internal/libc.ts";
import type { Database } from "../state/database.ts";
import { type VolumeOptions, type VolumeSource, volumeSource } from "./options.ts";
import { VolumeRecords } from "./records.ts";
import type { Volume, VolumeEvent } from "./types.ts";

export interface VolumeStoreOptions {
  /** Directory that holds one directory per volume. */
  readonly root: string;
  /** Directory for locks between processes. */
  readonly locks: string;
  readonly db: Database;
  /** Whether a user may have its volumes open right now: then nothing is put under its feet. */
  readonly isActive: (user: string) => boolean;
  /** Called within the transaction that makes it true. */
  readonly onEvent?: ((event: VolumeEvent) => void) | undefined;
}

/** Fills the fresh, empty directory of a volume; synced when it returns. `false` when there was nothing to fill it with. */
export type Fill = (data: string) => Promise<boolean>;

export interface NewVolume {
  readonly isAnonymous?: boolean | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly options?: VolumeOptions | undefined;
}

const prefixes = { fresh: ".new-", gone: ".gone-" } as const;

export class VolumeStore {
  readonly records: VolumeRecords;
  readonly #o: VolumeStoreOptions;

  constructor(o: VolumeStoreOptions) {
    this.#o = o;
    this.records = new VolumeRecords(o.db);
  }

  /** Where the volume's own directory is, whether it exists or not. */
  path(name: string): string {
    return join(this.#o.root, name, "_data");
  }

  get(name: string): Volume | undefined {
    const row = this.records.get(name);
    return row?.state === "ready" ? row : undefined;
  }

  source(name: string): VolumeSource {
    return volumeSource(this.get(name)?.options ?? {});
  }

  /** There already with the same options: that one. Without a name it gets a random one. */
  async create(name: string | undefined, volume: NewVolume): Promise<Volume> {
    volumeSource(volume.options ?? {});
    const chosen = name ?? anonymousName();
    const there = this.get(chosen);
    if (there !== undefined) return sameAs(there, volume);
    using _lock = await this.lock(chosen);
    const found = this.get(chosen);
    if (found !== undefined) return sameAs(found, volume);
    return await this.#make(chosen, { isAnonymous: name === undefined, ...volume });
  }

  /**
   * Makes sure that the volume is there and stays while `user` has it. `fill` is called for a plain volume that is empty and
   * open in no other container. Answers whether the volume was made.
   */
  async take(name: string, user: string, volume: NewVolume, fill?: Fill): Promise<boolean> {
    if (this.records.use(name, user) && !this.#wantsFilling(name, user, fill)) return false;
    using _lock = await this.lock(name);
    if (this.records.use(name, user)) {
      if (fill !== undefined && this.#wantsFilling(name, user, fill)) await this.#fillEmpty(name, user, fill);
      return false;
    }
    await this.#make(name, volume, { user, fill });
    return true;
  }

  /** After a power cut the directory of an empty volume may be missing though its record is there. */
  ensureDirectory(name: string): void {
    mkdirSync(this.path(name), { recursive: true, mode: 0o755 });
  }

  /** `user` needs its volumes no more. The anonymous ones nobody else has are removed, unless they are kept. */
  async release(user: string, o: { readonly keepAnonymous?: boolean | undefined } = {}): Promise<void> {
    const names = this.records.volumesOf(user);
    if (names.length === 0) return;
    const anonymous = o.keepAnonymous ? [] : names.filter((name) => this.get(name)?.isAnonymous);
    // First the removal, then the rows that lead to it: cut off in between, the next release goes on.
    for (const name of anonymous) if (this.records.usersOf(name).every((other) => other === user)) await this.#removeUsedBy(name, user);
    this.records.dropUser(user);
  }

  /** In use: `conflict`. */
  async remove(name: string): Promise<void> {
    if (this.get(name) === undefined) throw noSuchVolume(name);
    using _lock = await this.lock(name);
    if (this.get(name) === undefined) throw noSuchVolume(name);
    const users = this.records.beginRemoval(name);
    if (users.length > 0) throw new BerthError("conflict", `volume ${name} is in use by ${users.join(", ")}; remove what uses it first`, { container: name });
    await this.#erase(name);
  }

  /** Finishes or undoes what a process that died left half done. `isUser`: whether that container exists or is being made. */
  async recover(isUser: (user: string) => boolean): Promise<void> {
    for (const row of this.records.unfinished()) {
      using lock = FileLock.tryAcquire(this.#lockPath(row.name));
      if (lock !== undefined) await this.#settle(row.name);
    }
    for (const user of this.records.allUsers()) if (!isUser(user)) await this.release(user);
    this.#removeStrays();
  }

  async #settle(name: string): Promise<void> {
    const row = this.records.get(name);
    if (row?.state === "removing") await this.#erase(name);
    // Its maker was never told; what appeared is whole, so it may stay.
    else if (row?.state === "creating" && existsSync(join(this.#o.root, name))) this.#appeared(name);
    else if (row?.state === "creating") this.records.delete(name);
  }

  /** Parts of volumes whose maker or remover died. */
  #removeStrays(): void {
    for (const entry of readdirSync(this.#o.root)) {
      const prefix = Object.values(prefixes).find((one) => entry.startsWith(one));
      if (prefix === undefined) continue;
      using lock = FileLock.tryAcquire(this.#lockPath(entry.slice(prefix.length)));
      if (lock !== undefined) rmSync(join(this.#o.root, entry), { recursive: true, force: true });
    }
  }

  async #make(name: string, volume: NewVolume, o: { readonly user?: string | undefined; readonly fill?: Fill | undefined } = {}): Promise<Volume> {
    await this.#settle(name);
    const made = { name, isAnonymous: volume.isAnonymous === true, labels: volume.labels ?? {}, options: volume.options ?? {}, createdAt: Date.now() };
    const directory = join(this.#o.root, name);
    this.records.begin(made, o.user);
    const fresh = join(this.#o.root, `${prefixes.fresh}${name}`);
    try {
      // A directory without a record: somebody put it there, and keeps what is in it.
      if (!existsSync(directory)) {
        rmSync(fresh, { recursive: true, force: true });
        mkdirSync(join(fresh, "_data"), { recursive: true, mode: 0o755 });
        const isFilled = isPlain(made.options) && (await o.fill?.(join(fresh, "_data")));
        renameSync(fresh, directory);
        if (isFilled) this.#syncRoot();
      }
      this.#appeared(name);
    } catch (cause) {
      rmSync(fresh, { recursive: true, force: true });
      this.records.delete(name);
      throw cause;
    }
    return made;
  }

  #appeared(name: string): void {
    this.records.markReady(name, () => this.#o.onEvent?.({ action: "create", name }));
  }

  #wantsFilling(name: string, user: string, fill: Fill | undefined): boolean {
    if (fill === undefined || !isPlain(this.get(name)?.options ?? {})) return false;
    if (this.#isActiveElsewhere(name, user)) return false;
    return isEmptyDirectory(this.path(name));
  }

  /** A directory may be renamed over an empty one: the files appear all at once. */
  async #fillEmpty(name: string, user: string, fill: Fill): Promise<void> {
    const fresh = join(this.#o.root, `${prefixes.fresh}${name}`);
    rmSync(fresh, { recursive: true, force: true });
    try {
      mkdirSync(join(fresh, "_data"), { recursive: true, mode: 0o755 });
      const isFilled = await fill(join(fresh, "_data"));
      if (isFilled && !this.#isActiveElsewhere(name, user)) renameSync(join(fresh, "_data"), this.path(name));
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
  }

  #isActiveElsewhere(name: string, user: string): boolean {
    return this.records.usersOf(name).some((other) => other !== user && this.#o.isActive(other));
  }

  async #removeUsedBy(name: string, user: string): Promise<void> {
    using _lock = await this.lock(name);
    if (this.records.beginRemoval(name, user).length === 0) await this.#erase(name);
  }

  async #erase(name: string): Promise<void> {
    const gone = join(this.#o.root, `${prefixes.gone}${name}`);
    const directory = join(this.#o.root, name);
    unmount(this.path(name), MNT_DETACH);
    await rm(gone, { recursive: true, force: true });
    if (existsSync(directory)) renameSync(directory, gone);
    await rm(gone, { recursive: true, force: true });
    this.records.delete(name, () => this.#o.onEvent?.({ action: "destroy", name }));
  }

  #syncRoot(): void {
    const fd = openSync(this.#o.root, "r");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  #lockPath(name: string): string {
    return join(this.#o.locks, `volume-${name}`);
  }

  /** Whoever changes a volume or its mount holds this. */
  async lock(name: string): Promise<Disposable> {
    const lock = await acquireLock(this.#lockPath(name));
    return { [Symbol.dispose]: () => lock.releaseAndDelete() };
  }
}

/** 64 hex digits, as Docker's. */
export function anonymousName(): string {
  return randomBytes(32).toString("hex");
}

export function noSuchVolume(name: string): BerthError {
  return new BerthError("not_found", `no such volume: ${name}`, { container: name, reason: "no such volume" });
}

function sameAs(there: Volume, wanted: NewVolume): Volume {
  if (wanted.options === undefined || sameOptions(there.options, wanted.options)) return there;
  throw new BerthError("conflict", `volume ${there.name} exists with other options; remove it first or take another name`, { container: there.name });
}

function sameOptions(a: VolumeOptions, b: VolumeOptions): boolean {
  const text = (options: VolumeOptions): string => JSON.stringify(Object.entries(options).sort());
  return text(a) === text(b);
}

function isPlain(options: VolumeOptions): boolean {
  return volumeSource(options).kind === "directory";
}

function isEmptyDirectory(path: string): boolean {
  try {
    return readdirSync(path).length === 0;
  } catch {
    return false;
  }
}
