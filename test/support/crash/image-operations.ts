/** Images as archives and tars: whatever moment the process dies at, an image is whole or not there, and nothing of it is left. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { isBerthError } from "../../../src/index.ts";
import { writeTar } from "../../../src/testing/tar-writer.ts";
import type { CrashWorld, Operation } from "./table.ts";

const reference = (w: CrashWorld): string => `local.example/${w.name}:1`;
const archive = (w: CrashWorld): string => join(w.dir, "image.tar");

/** A root file system of this point alone: 300 files and a few megabytes. */
function rootFs(w: CrashWorld): Uint8Array {
  const files = Array.from({ length: 300 }, (_, index) => ({ name: `d/${index}`, data: `${w.name} ${index}\n`.repeat(800) }));
  return writeTar([{ name: "d/" }, ...files]);
}

const importIt = (w: CrashWorld): Promise<string> => w.runtime.importImage(rootFs(w), reference(w), undefined, { changes: 'CMD ["x"]' });

async function save(w: CrashWorld, path: string): Promise<void> {
  await writeFile(path, await w.runtime.saveImages([reference(w)]));
}

async function load(w: CrashWorld): Promise<void> {
  for await (const _ of await w.runtime.loadImages(readFileSync(archive(w)), true));
}

async function isHere(w: CrashWorld): Promise<boolean> {
  try {
    await w.runtime.inspectImageNative(reference(w));
    return true;
  } catch (error) {
    if (isBerthError(error, "not_found")) return false;
    throw error;
  }
}

/** The image can be had whole, saved, and removed, and then nothing of it is on the disk. */
async function useAndRemove(w: CrashWorld, make: (w: CrashWorld) => Promise<unknown>): Promise<void> {
  assertOnlyWhatIsNeeded(w);
  if (!(await isHere(w))) await make(w);
  assert.deepEqual((await w.runtime.inspectImageNative(reference(w))).cmd, ["x"]);
  await save(w, join(w.dir, "again.tar"));
  await w.runtime.removeImage(reference(w), false);
  assertOnlyWhatIsNeeded(w);
}

/** Blobs, layers, spools and leases of the store, against what its records name. */
function assertOnlyWhatIsNeeded(w: CrashWorld): void {
  const root = join(w.dir, "..", "state");
  const db = new DatabaseSync(join(root, "state", "berth.db"), { readOnly: true, timeout: 10_000 });
  try {
    const column = (query: string): string[] =>
      db
        .prepare(query)
        .all()
        .map((row) => String(row["text"]).replace(/^sha256:/, ""))
        .sort();
    const list = (path: string): string[] => readdirSync(join(root, path)).sort();
    assert.deepEqual(list("content/blobs/sha256"), column("select distinct digest as text from image_blobs"), "blobs");
    assert.deepEqual(list("snapshots"), column("select chain_id as text from snapshots"), "layers");
    assert.deepEqual([list("content/ingest"), list("content/leases"), column("select digest as text from image_garbage")], [[], [], []], "leftovers");
  } finally {
    db.close();
  }
}

export const imageOperations: readonly Operation[] = [
  { name: "image import", points: 8, run: async (w) => void (await importIt(w)), after: (w) => useAndRemove(w, importIt) },
  {
    name: "image load",
    points: 8,
    prepare: async (w) => {
      await importIt(w);
      await save(w, archive(w));
      await w.runtime.removeImage(reference(w), false);
    },
    run: load,
    after: (w) => useAndRemove(w, load),
  },
  {
    name: "image save",
    points: 4,
    prepare: async (w) => void (await importIt(w)),
    run: (w) => save(w, archive(w)),
    after: (w) => useAndRemove(w, importIt),
  },
  {
    name: "image removal",
    points: 6,
    prepare: async (w) => void (await importIt(w)),
    run: (w) => w.runtime.removeImage(reference(w), false),
    after: (w) => useAndRemove(w, importIt),
  },
];
