/** A bundle's `config.json` (runtime-spec bundle.md). */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { OciProcess, OciRuntimeSpec } from "../spec/runtime-spec.ts";

/** Writes `<dir>/config.json`, making the directory. Not synced: it is made anew from the container's record at every start. */
export function writeBundle(dir: string, spec: OciRuntimeSpec): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  writeFileSync(join(dir, "config.json"), JSON.stringify(spec), { mode: 0o600 });
}

/** Writes the `process.json` of an exec. */
export function writeProcessFile(path: string, process: OciProcess): void {
  writeFileSync(path, JSON.stringify(process), { mode: 0o600 });
}
