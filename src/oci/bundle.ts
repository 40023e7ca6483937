/** A bundle's `config.json` (runtime-spec bundle.md). */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { OciProcess, OciRuntimeSpec } from "../spec/runtime-spec.ts";

/** JSON text; bigints become plain numbers, since OCI runtimes read unsigned 64-bit limits. */
export function encodeOciDocument(document: OciRuntimeSpec | OciProcess): string {
  return JSON.stringify(document, (_key, value: unknown) => (typeof value === "bigint" ? rawNumber(value) : value));
}

function rawNumber(value: bigint): unknown {
  // In every Node we support, but not yet in TypeScript's library.
  const { rawJSON } = JSON as typeof JSON & { rawJSON(text: string): unknown };
  return rawJSON(value.toString());
}

/** Writes `<dir>/config.json`, making the directory. Not synced: it is made anew from the container's record at every start. */
export function writeBundle(dir: string, spec: OciRuntimeSpec): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  writeFileSync(join(dir, "config.json"), encodeOciDocument(spec), { mode: 0o600 });
}

/** Writes the `process.json` of an exec. */
export function writeProcessFile(path: string, process: OciProcess): void {
  writeFileSync(path, encodeOciDocument(process), { mode: 0o600 });
}
