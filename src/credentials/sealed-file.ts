/**
 * A file of named entries whose secrets are sealed: changed under a lock, replaced as a whole, and read anew at every look, so that
 * what one process keeps counts in all of them.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { BerthError, messageOf } from "../errors.ts";
import { acquireLock } from "../internal/acquire-lock.ts";
import { errnoCode } from "../internal/libc.ts";
import { parseStoreFile, type StoreFile } from "./store-file.ts";
import { newKeySource, openVault, passphraseVariable, type Vault } from "./vault.ts";

export interface SealedFileOptions<Entry> {
  /** Of the engine alone; the key lies in it too, one for all its files. */
  readonly directory: string;
  readonly name: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `undefined` for what is no entry. */
  readonly parse: (value: Readonly<Record<string, unknown>>) => Entry | undefined;
}

export class SealedFile<Entry> {
  readonly #o: SealedFileOptions<Entry>;
  readonly #path: string;

  constructor(o: SealedFileOptions<Entry>) {
    this.#o = o;
    this.#path = join(o.directory, o.name);
  }

  /** Throws `configuration` for a file that is none; nothing of its content is quoted. */
  read(): StoreFile<Entry> {
    try {
      return parseStoreFile(readFileSync(this.#path, "utf8"), this.#path, this.#o.parse);
    } catch (cause) {
      if (errnoCode(cause) === "ENOENT") return { key: newKeySource(this.#passphrase), entries: [] };
      if (cause instanceof BerthError) throw cause;
      throw new BerthError("configuration", `cannot read ${this.#path}: ${messageOf(cause)}`, { cause });
    }
  }

  vault(file: StoreFile<Entry>): Vault {
    return openVault(file.key, { keyFile: join(this.#o.directory, "key"), passphrase: this.#passphrase });
  }

  async change(change: (entries: readonly Entry[], vault: () => Vault) => readonly Entry[]): Promise<void> {
    mkdirSync(this.#o.directory, { recursive: true, mode: 0o700 });
    using _lock = await acquireLock(join(this.#o.directory, "lock"));
    const before = this.read();
    this.#write({ ...before, entries: change(before.entries, () => this.vault(before)) });
  }

  get #passphrase(): string | undefined {
    return this.#o.env[passphraseVariable] || undefined;
  }

  #write(file: StoreFile<Entry>): void {
    const fresh = `${this.#path}.new`;
    const fd = openSync(fresh, "w", 0o600);
    try {
      writeSync(fd, `${JSON.stringify({ version: 1, ...file }, null, 2)}\n`);
      fsyncSync(fd);
      renameSync(fresh, this.#path);
    } catch (error) {
      rmSync(fresh, { force: true });
      throw error;
    } finally {
      closeSync(fd);
    }
  }
}
