import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { BrokenRingError, ByteRing } from "./byte-ring.ts";

/** A thread that runs `body` with `ring` at hand, blocking as it likes. */
function worker(ring: ByteRing, body: string): Promise<unknown> {
  const source = `
    const { workerData, parentPort } = require("node:worker_threads");
    import(workerData.module).then(({ ByteRing }) => {
      const ring = new ByteRing(workerData.shared);
      parentPort.postMessage((() => { ${body} })());
    });`;
  const thread = new Worker(source, { eval: true, workerData: { shared: ring.shared, module: new URL("./byte-ring.ts", import.meta.url).href } });
  return new Promise((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
  });
}

async function readAll(ring: ByteRing): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let part = await ring.takeSoon(); part !== undefined; part = await ring.takeSoon()) {
    parts.push(Buffer.from(part));
    ring.took(part.length);
  }
  return Buffer.concat(parts);
}

const sha = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

describe("byte ring", () => {
  test("bytes of a blocking writer arrive in order, many times its size", async () => {
    const ring = new ByteRing(new SharedArrayBuffer(32 + 1000));
    const done = worker(ring, "for (let i = 0; i < 5000; i++) ring.write(Buffer.from(String(i) + ',')); ring.end(); return 'done';");
    const text = (await readAll(ring)).toString();
    assert.equal(text, Array.from({ length: 5000 }, (_, i) => `${i},`).join(""));
    assert.equal(await done, "done");
  });

  test("a blocking reader gets what an awaiting writer wrote", async () => {
    const ring = new ByteRing(new SharedArrayBuffer(32 + 777));
    const body = `
      const hash = require("node:crypto").createHash("sha256");
      for (let part = ring.take(); part !== undefined; part = ring.take()) { hash.update(part); ring.took(part.length); }
      return hash.digest("hex");`;
    const answer = worker(ring, body);
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 31) & 0xff));
    for (let at = 0; at < bytes.length; at += 3333) await ring.writeSoon(bytes.subarray(at, at + 3333));
    ring.end();
    assert.equal(await answer, sha(bytes));
  });

  test("a writer whose reader left ends, and so does a reader whose writer failed", async () => {
    const ring = new ByteRing(new SharedArrayBuffer(32 + 100));
    const answer = worker(ring, "try { for (;;) ring.write(Buffer.alloc(64)); } catch (error) { return error.name; }");
    await ring.takeSoon();
    ring.break();
    assert.equal(await answer, "BrokenRingError");
    await assert.rejects(ring.takeSoon(), BrokenRingError);
  });

  test("nothing written is an empty stream", async () => {
    const ring = new ByteRing();
    ring.end();
    assert.equal(await ring.takeSoon(), undefined);
  });
});
