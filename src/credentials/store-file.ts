import { BerthError } from "../errors.ts";
import type { KeySource } from "./vault.ts";

export interface StoreFile<Entry> {
  readonly key: KeySource;
  readonly entries: readonly Entry[];
}

type Json = Readonly<Record<string, unknown>>;

/** `parse` answers `undefined` for what is no entry. Throws `configuration` for a file that is none; nothing of its content is quoted. */
export function parseStoreFile<Entry>(text: string, path: string, parse: (value: Json) => Entry | undefined): StoreFile<Entry> {
  const json = tryParse(text);
  if (!isObject(json) || !Array.isArray(json["entries"])) throw bad(path, "is not a credential store");
  if (json["version"] !== 1) throw bad(path, "was written by a newer berth; upgrade berth");
  const entries = json["entries"].map((value: unknown) => {
    const entry = isObject(value) ? parse(value) : undefined;
    if (entry === undefined) throw bad(path, "holds an entry that is none");
    return entry;
  });
  return { key: keySource(json["key"], path), entries };
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

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function bad(path: string, what: string): BerthError {
  return new BerthError("configuration", `${path} ${what}; mend it, or remove it and log in again, or create its secrets again`);
}
