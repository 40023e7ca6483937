import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const here = import.meta.dirname;

/** Runs a contract of two cases on the mock in a process of its own and answers what it printed. */
async function outputOf(options: string): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), "berth-run-contract-"));
  const file = join(dir, "contract.test.ts");
  writeFileSync(
    file,
    `import { createMockRuntime } from ${JSON.stringify(join(here, "../runtimes/mock/index.ts"))};
import { UnsupportedError } from ${JSON.stringify(join(here, "../errors.ts"))};
import { runContract } from ${JSON.stringify(join(here, "run-contract.ts"))};
const cases = [
  { name: "first case", needs: [], run: async (t) => void (await t.create()) },
  { name: "second case", needs: ["kernel", "archiveGet"], run: async () => { throw new Error("never run"); } },
];
runContract({ name: "mock", cases, timeoutMs: 2000, ...(${options}), open: async () => {
  const runtime = createMockRuntime();
  const refusal = { support: "unsupported", reason: "not in this test" };
  runtime.capabilities = { ...runtime.capabilities, archiveGet: refusal };
  runtime.archiveGet = async () => { throw new UnsupportedError("archiveGet", "mock", refusal.reason); };
  const images = { demo: "a.example/demo:1", configured: "a.example/configured:1" };
  for (const reference of Object.values(images)) runtime.control.publishImage(reference, { config: { cmd: ["x"] } });
  return { runtime, images, reopen: async () => runtime.reopen(), close: () => runtime.close() };
} });`,
  );
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  try {
    return await new Promise((resolve) => execFile(process.execPath, ["--test", "--test-reporter=tap", file], { env }, (_error, stdout) => resolve(stdout)));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

test("a case whose trait is lacking is skipped with the reason, one whose method is unsupported asserts the refusal", async () => {
  const lacking = await outputOf(`{ lacks: { kernel: "all in memory" } }`);
  assert.match(lacking, /ok \d+ - first case\n/);
  assert.match(lacking, /ok \d+ - second case # SKIP kernel: all in memory/);
  assert.match(lacking, /# fail 0/);
  const supported = await outputOf("{}");
  assert.match(supported, /ok \d+ - second case\n/);
  assert.match(supported, /ok \d+ - archiveGet\n/);
  assert.match(supported, /# fail 0/);
});

test("a skip prints its reason, and one that names no case fails", async () => {
  assert.match(await outputOf(`{ skips: { "first case": "not today" } }`), /ok \d+ - first case # SKIP not today/);
  assert.match(await outputOf(`{ skips: { "third case": "not today" } }`), /not ok \d+ - every skip names a case/);
});

test("a case that takes too long fails and its containers are removed", async () => {
  const cases = `[
    { name: "hangs", needs: [], run: async (t) => { await t.create(); await new Promise(() => {}); } },
    { name: "looks", needs: [], run: async (t) => { if ((await t.runtime.listContainers()).length > 0) throw new Error("left behind"); } },
  ]`;
  const output = await outputOf(`{ timeoutMs: 300, cases: ${cases} }`);
  assert.match(output, /not ok \d+ - hangs/);
  assert.match(output, /\n\s+ok \d+ - looks/);
});
