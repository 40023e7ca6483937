/**
 * The engine's own credentials for registries (contract 4.5): one file, secrets sealed, changed under a lock and replaced as
 * a whole. It is read anew at every look, so that a login in one process counts in all of them.
 */
import { randomUUID } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { BerthError, messageOf } from "../errors.ts";
import { acquireLock } from "../internal/acquire-lock.ts";
import { errnoCode } from "../internal/libc.ts";
import { parseStoreFile, type StoreEntry, type StoreFile } from "./store-file.ts";
import type { CredentialSecret, StoredCredential } from "./types.ts";
import { newKeySource, openVault, passphraseVariable, type Vault } from "./vault.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export class CredentialStore {
  readonly #directory: string;
  readonly #env: Environment;

  constructor(directory: string, env: Environment) {
    this.#directory = directory;
    this.#env = env;
  }

  list(): readonly StoredCredential[] {
    return this.#read().entries.map(withoutSecret);
  }

  /** Replaces the entry of that registry, if there is one. */
  async put(registry: string, secret: CredentialSecret): Promise<StoredCredential> {
    return this.#change((file, vault) => {
      const entry: StoreEntry = {
        id: randomUUID(),
        registry,
        kind: secret.kind,
        username: secret.kind === "basic" ? secret.username : undefined,
        createdAt: new Date().toISOString(),
        sealed: vault.seal(registry, JSON.stringify(secret)),
      };
      return { file: { ...file, entries: [...file.entries.filter((one) => one.registry !== registry), entry] }, result: withoutSecret(entry) };
    });
  }

  /** By id or registry. `false` when there is none. */
  async remove(idOrRegistry: string): Promise<boolean> {
    const isIt = ({ id, registry }: StoreEntry): boolean => id === idOrRegistry || registry === idOrRegistry;
    if (!this.#read().entries.some(isIt)) return false;
    return this.#change((file) => ({ file: { ...file, entries: file.entries.filter((entry) => !isIt(entry)) }, result: true }));
  }

  /** `undefined` when there is no entry of that id or registry. */
  secret(idOrRegistry: string): CredentialSecret | undefined {
    const file = this.#read();
    const entry = file.entries.find(({ id, registry }) => id === idOrRegistry || registry === idOrRegistry);
    if (entry === undefined) return undefined;
    return JSON.parse(this.#vault(file).open(entry.registry, entry.sealed)) as CredentialSecret;
  }

  #vault(file: StoreFile): Vault {
    return openVault(file.key, { keyFile: join(this.#directory, "key"), passphrase: this.#env[passphraseVariable] || undefined });
  }

  async #change<T>(change: (file: StoreFile, vault: Vault) => { readonly file: StoreFile; readonly result: T }): Promise<T> {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    using _lock = await acquireLock(join(this.#directory, "lock"));
    const before = this.#read();
    const { file, result } = change(before, this.#vault(before));
    this.#write(file);
    return result;
  }

  #read(): StoreFile {
    const path = this.#path;
    try {
      return parseStoreFile(readFileSync(path, "utf8"), path);
    } catch (cause) {
      if (errnoCode(cause) === "ENOENT") return { key: newKeySource(this.#env[passphraseVariable] || undefined), entries: [] };
      if (cause instanceof BerthError) throw cause;
      throw new BerthError("configuration", `cannot read ${path}: ${messageOf(cause)}`, { cause });
    }
  }

  #write(file: StoreFile): void {
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

  get #path(): string {
    return join(this.#directory, "registries.json");
  }
}

function withoutSecret({ id, registry, kind, username, createdAt }: StoreEntry): StoredCredential {
  return { id, registry, kind, username, createdAt: new Date(createdAt) };
}
