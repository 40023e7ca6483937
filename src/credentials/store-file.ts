import { BerthError } from "../errors.ts";
import type { CredentialSecret } from "./types.ts";
import type { KeySource } from "./vault.ts";

export interface StoreEntry {
  readonly id: string;
  readonly registry: string;
  readonly kind: CredentialSecret["kind"];
  readonly username?: string | undefined;
  /** RFC 3339. */
  readonly createdAt: string;
  /** The {@link CredentialSecret}, as the vault seals it under the name of the registry. */
  readonly sealed: string;
}

export interface StoreFile {
  readonly key: KeySource;
  readonly entries: readonly StoreEntry[];
}

type Json = Readonly<Record<string, unknown>>;

/** Throws `configuration` for a file that is none; nothing of its content is quoted. */
export function parseStoreFile(text: string, path: string): StoreFile {
  const json = tryParse(text);
  if (!isObject(json) || !Array.isArray(json["entries"])) throw bad(path, "is not a credential store");
  if (json["version"] !== 1) throw bad(path, "was written by a newer berth; upgrade berth");
  return { key: keySource(json["key"], path), entries: json["entries"].map((entry: unknown) => parseEntry(entry, path)) };
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function keySource(value: unknown, path: string): KeySource {
  if (isObject(value) && value["kind"] === "file") return { kind: "file" };
  if (isObject(value) && value["kind"] === "passphrase" && typeof value["salt"] === "string") return { kind: "passphrase", salt: value["salt"] };
  throw bad(path, "does not say how its key is had");
}

const kinds: readonly CredentialSecret["kind"][] = ["basic", "anonymous", "docker_config", "env_var"];

function parseEntry(value: unknown, path: string): StoreEntry {
  if (!isObject(value)) throw bad(path, "holds an entry that is none");
  const { id, registry, username, createdAt, sealed } = value;
  const kind = kinds.find((one) => one === value["kind"]);
  if (typeof id !== "string" || typeof registry !== "string" || typeof createdAt !== "string" || typeof sealed !== "string" || kind === undefined) {
    throw bad(path, "holds an entry that is none");
  }
  return { id, registry, kind, username: typeof username === "string" ? username : undefined, createdAt, sealed };
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function bad(path: string, what: string): BerthError {
  return new BerthError("configuration", `${path} ${what}; mend it, or remove it and log in again`);
}
