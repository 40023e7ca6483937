import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { sha256 } from "../spec/digest.ts";
import { type ContentStore, openContentStore } from "./content-store.ts";

const roots: string[] = [];
after(() => roots.forEach((root) => rmSync(root, { recursive: true, force: true })));

function freshStore(): { store: ContentStore; root: string; ingests: () => string[] } {
  const root = mkdtempSync(join(tmpdir(), "berth-content-"));
  roots.push(root);
  return { store: openContentStore(root), root, ingests: () => readdirSync(join(root, "content", "ingest")) };
}

const bytes = Buffer.from("some bytes of a layer ".repeat(100_000));
const expected = { digest: sha256(bytes), size: bytes.length };

describe("content store", () => {
  test("a blob appears at the commit and not before", async () => {
    const { store, ingests } = freshStore();
    const ingest = await store.ingest(expected);
    assert.ok(ingest);
    for (let at = 0; at < bytes.length; at += 65_536) {
      await ingest.write(bytes.subarray(at, at + 65_536));
      assert.ok(!store.has(expected.digest));
    }
    await ingest.commit();
    await ingest.close();
    await ingest.close();
    assert.deepEqual(await store.read(expected.digest), bytes);
    assert.equal(store.size(expected.digest), bytes.length);
    assert.deepEqual(ingests(), []);
    assert.equal(await store.ingest(expected), undefined);
    store.remove(expected.digest);
    assert.ok(!store.has(expected.digest));
  });

  test("a stopped ingest is resumed where it stopped", async () => {
    const { store } = freshStore();
    const first = await store.ingest(expected);
    await first?.write(bytes.subarray(0, 700_000));
    await first?.close();
    const second = await store.ingest(expected);
    assert.equal(second?.written, 700_000);
    await second?.write(bytes.subarray(700_000));
    await second?.commit();
    await second?.close();
    assert.deepEqual(readFileSync(store.path(expected.digest)), bytes);
  });

  test("wrong bytes, too many and too few never become a blob", async () => {
    const { store, ingests } = freshStore();
    const wrong = await store.ingest(expected);
    await wrong?.write(Buffer.alloc(bytes.length));
    await assert.rejects(async () => wrong?.commit(), { code: "pull_failed", message: /expected sha256:/ });
    await wrong?.close();
    assert.deepEqual(ingests(), [], "wrong bytes are not kept");

    const large = await store.ingest(expected);
    await assert.rejects(async () => large?.write(Buffer.alloc(bytes.length + 1)), { code: "pull_failed", message: /size of blob/ });
    await large?.close();

    const short = await store.ingest(expected);
    await short?.write(bytes.subarray(0, 10));
    await assert.rejects(async () => short?.commit(), { code: "pull_failed", message: /truncated: 10 of/ });
    await short?.close();
    assert.equal(ingests().length, 1, "right bytes are kept");
    assert.ok(!store.has(expected.digest));
  });

  test("a second caller waits for the first, and an abort ends the waiting", async () => {
    const { store } = freshStore();
    const first = await store.ingest(expected);
    const stop = new AbortController();
    const aborted = store.ingest(expected, { signal: stop.signal });
    const waiting = store.ingest(expected);
    stop.abort(new Error("enough"));
    await assert.rejects(aborted, /enough/);
    await first?.write(bytes);
    await first?.commit();
    await first?.close();
    assert.equal(await waiting, undefined);
  });

  test("small blobs are put whole and checked; damage is found on reading", async () => {
    const { store } = freshStore();
    await store.put(expected, bytes);
    await store.put(expected, bytes);
    await assert.rejects(store.put({ ...expected, digest: sha256("other") }, bytes), { code: "pull_failed" });
    writeFileSync(store.path(expected.digest), "damaged");
    await assert.rejects(store.read(expected.digest), { code: "internal", message: /damaged/ });
    await assert.rejects(store.read(sha256("absent")), { code: "not_found" });
  });

  test("stale ingests go, one in use stays", async () => {
    const { store, ingests } = freshStore();
    const stale = await store.ingest(expected);
    await stale?.write(bytes.subarray(0, 5000));
    await stale?.close();
    const other = { digest: sha256("x"), size: 1 };
    const used = await store.ingest(other);
    assert.equal(store.removeStaleIngests(60_000), 0);
    assert.equal(store.removeStaleIngests(-1), 5000);
    assert.equal(ingests().length, 1);
    await used?.close();
  });

  test("several processes that want one blob write it once", async () => {
    const { root, store } = freshStore();
    const script = `
      import { openContentStore } from ${JSON.stringify(new URL("./content-store.ts", import.meta.url).href)};
      const ingest = await openContentStore(${JSON.stringify(root)}).ingest(${JSON.stringify(expected)});
      if (ingest !== undefined) {
        const bytes = Buffer.from("some bytes of a layer ".repeat(100_000));
        for (let at = ingest.written; at < bytes.length; at += 50_000) await ingest.write(bytes.subarray(at, at + 50_000));
        await ingest.commit();
        await ingest.close();
      }
      process.stdout.write(ingest === undefined ? "found" : "wrote");`;
    const outputs = await Promise.all(Array.from({ length: 4 }, () => runScript(script)));
    assert.deepEqual(outputs.sort(), ["found", "found", "found", "wrote"]);
    assert.deepEqual(await store.read(expected.digest), bytes);
    assert.ok(existsSync(store.path(expected.digest)) && statSync(store.path(expected.digest)).size === bytes.length);
  });
});

function runScript(script: string): Promise<string> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (text: Buffer) => (output += text.toString()));
  return new Promise((resolve) => child.once("close", () => resolve(output)));
}
