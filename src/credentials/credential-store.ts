/** The engine's own credentials for registries (contract 4.5), sealed at rest. A login in one process counts in all of them. */
import { randomUUID } from "node:crypto";
import { SealedFile } from "./sealed-file.ts";
import type { CredentialSecret, StoredCredential } from "./types.ts";

interface StoreEntry {
  readonly id: string;
  readonly registry: string;
  readonly kind: CredentialSecret["kind"];
  readonly username?: string | undefined;
  /** RFC 3339. */
  readonly createdAt: string;
  /** The {@link CredentialSecret}, as the vault seals it under the name of the registry. */
  readonly sealed: string;
}

export class CredentialStore {
  readonly #file: SealedFile<StoreEntry>;

  constructor(directory: string, env: Readonly<Record<string, string | undefined>>) {
    this.#file = new SealedFile({ directory, name: "registries.json", env, parse: parseEntry });
  }

  list(): readonly StoredCredential[] {
    return this.#file.read().entries.map(withoutSecret);
  }

  /** Replaces the entry of that registry, if there is one. */
  async put(registry: string, secret: CredentialSecret): Promise<StoredCredential> {
    const username = secret.kind === "basic" ? secret.username : undefined;
    const entry = { id: randomUUID(), registry, kind: secret.kind, username, createdAt: new Date().toISOString() };
    await this.#file.change((entries, vault) => [
      ...entries.filter((one) => one.registry !== registry),
      { ...entry, sealed: vault().seal(registry, JSON.stringify(secret)) },
    ]);
    return withoutSecret(entry);
  }

  /** By id or registry. `false` when there is none. */
  async remove(idOrRegistry: string): Promise<boolean> {
    const isIt = isNamed(idOrRegistry);
    if (!this.#file.read().entries.some(isIt)) return false;
    await this.#file.change((entries) => entries.filter((entry) => !isIt(entry)));
    return true;
  }

  /** `undefined` when there is no entry of that id or registry. */
  secret(idOrRegistry: string): CredentialSecret | undefined {
    const file = this.#file.read();
    const entry = file.entries.find(isNamed(idOrRegistry));
    if (entry === undefined) return undefined;
    return JSON.parse(this.#file.vault(file).open(entry.registry, entry.sealed)) as CredentialSecret;
  }
}

function isNamed(idOrRegistry: string): (entry: StoreEntry) => boolean {
  return ({ id, registry }) => id === idOrRegistry || registry === idOrRegistry;
}

function withoutSecret({ id, registry, kind, username, createdAt }: Omit<StoreEntry, "sealed">): StoredCredential {
  return { id, registry, kind, username, createdAt: new Date(createdAt) };
}

const kinds: readonly CredentialSecret["kind"][] = ["basic", "anonymous", "docker_config", "env_var"];

function parseEntry(value: Readonly<Record<string, unknown>>): StoreEntry | undefined {
  const { id, registry, username, createdAt, sealed } = value;
  const kind = kinds.find((one) => one === value["kind"]);
  if (typeof id !== "string" || typeof registry !== "string" || typeof createdAt !== "string" || typeof sealed !== "string" || kind === undefined)
    return undefined;
  return { id, registry, kind, username: typeof username === "string" ? username : undefined, createdAt, sealed };
}
