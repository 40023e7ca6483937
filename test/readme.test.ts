/** The code blocks of the README run as they stand there, against what `npm run build` makes. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type RunnableBlock, runnableBlocks } from "./support/readme-blocks.ts";

const root = join(import.meta.dirname, "..");
const blocks = runnableBlocks(readFileSync(join(root, "README.md"), "utf8"));

describe("README", () => {
  const dir = mkdtempSync(join(tmpdir(), "berth-readme-blocks-"));
  after(() => rmSync(dir, { recursive: true, force: true }));

  before(() => {
    assert.equal(process.getuid?.(), 0, "the examples start containers: run as root");
    execFileSync(process.execPath, [join(root, "scripts", "build.ts")], { stdio: "pipe" });
  });

  test("has examples for the library and for the terminal", () => {
    assert.deepEqual([...new Set(blocks.map(({ language }) => language))].sort(), ["sh", "ts"]);
  });

  for (const block of blocks) {
    test(`the ${block.language} block at line ${block.line} runs`, { timeout: 120_000 }, () => {
      const { status, stdout, stderr } = run(dir, block);
      assert.equal(status, 0, `it ended with ${status}:\n${stdout}${stderr}`);
      if (block.prints !== undefined) assert.equal(stdout, block.prints);
    });
  }
});

function run(dir: string, block: RunnableBlock): { status: number | null; stdout: string; stderr: string } {
  const file = join(dir, `block-${block.line}.${block.language}`);
  writeFileSync(file, block.code);
  return spawnSync(process.execPath, [join(root, "test", "support", "run-readme-block.ts"), file], { encoding: "utf8" });
}
