import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Worker } from "node:worker_threads";
import { readHost } from "./copy-thread.ts";

test("what a thread read before it ended is there for who reads later", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "berth-copy-thread-"));
  t.after(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, "note"), "a note\n");
  const ended = new Promise((resolve) => process.once("worker", (worker: Worker) => worker.once("exit", () => setImmediate(resolve))));
  const { tar, bytes } = readHost({ path: join(directory, "note"), name: "note", follow: false });
  await ended;
  const chunks = await Array.fromAsync(tar);
  assert.ok(Buffer.concat(chunks).includes("a note\n"));
  assert.equal(await bytes, Buffer.concat(chunks).length);
});
