/**
 * A privileged exec has no seccomp filter, but OCI runtimes take the filter from what they keep about the container, not from
 * the caller. So they are shown a copy of that without it, for this one call.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isRecord } from "../../spec/descriptor.ts";

/** Makes a state directory (`--root`) at `directory` in which the container has no filter. Remove it after the exec. */
export function makeUnconfinedState(directory: string, root: string, ociId: string): void {
  mkdirSync(directory, { mode: 0o700 });
  const copy = join(directory, ociId);
  cpSync(join(root, ociId), copy, { recursive: true });
  rmSync(join(copy, "seccomp.bpf"), { force: true });
  // crun reads the container's config.json, runc its own state.
  change(join(copy, "config.json"), (document) => {
    const { linux, annotations, ...rest } = document;
    const { seccomp: _filter, ...others } = isRecord(linux) ? linux : {};
    const kept = isRecord(annotations) ? Object.entries(annotations).filter(([name]) => !name.startsWith("run.oci.seccomp")) : [];
    return { ...rest, linux: others, annotations: Object.fromEntries(kept) };
  });
  change(join(copy, "state.json"), (document) => (isRecord(document["config"]) ? { ...document, config: { ...document["config"], seccomp: null } } : document));
}

function change(path: string, edit: (document: Record<string, unknown>) => Record<string, unknown>): void {
  if (!existsSync(path)) return;
  const document: unknown = parseExactly(readFileSync(path, "utf8"));
  if (isRecord(document)) writeFileSync(path, JSON.stringify(edit(document)), { mode: 0o600 });
}

// Both are in every Node we support, but not yet in TypeScript's library.
const parse = JSON.parse as (text: string, reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown) => unknown;
const { rawJSON } = JSON as typeof JSON & { rawJSON(text: string): unknown };

/** Unsigned 64-bit numbers, as limits are, stay what they are when written again. */
function parseExactly(text: string): unknown {
  return parse(text, (_key, value, { source }) =>
    typeof value === "number" && !Number.isSafeInteger(value) && source !== undefined ? rawJSON(source) : value,
  );
}
