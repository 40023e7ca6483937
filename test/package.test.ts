/** What package.json promises to those who import: every entry is built, loads, and shares its classes with the others. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";

const root = join(import.meta.dirname, "..");
const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly exports: Readonly<Record<string, unknown>> };
const entries = Object.keys(exports).filter((name) => name !== "./package.json");

describe("the package", () => {
  before(() => void execFileSync(process.execPath, [join(root, "scripts/build.ts")], { cwd: root, stdio: "pipe" }));

  for (const entry of entries) {
    test(`berth${entry.slice(1)} can be imported`, () => {
      const names = run(`console.log(Object.keys(await import("berth${entry.slice(1)}")).join(" "))`);
      assert.notEqual(names, "");
    });
  }

  test("a container runs by the built mock, and its errors are the BerthError of the main entry", () => {
    const output = run(`
      import { BerthError, containerId } from "berth";
      import { createMockRuntime } from "berth/runtimes/mock";
      const runtime = createMockRuntime();
      const error = await runtime.containerState(containerId({ service: "web" })).catch((thrown) => thrown);
      console.log(error instanceof BerthError, error.code);
    `);
    assert.equal(output, "true not_found");
  });
});

/** Runs a module inside the package, where its own name resolves. */
function run(code: string): string {
  return execFileSync(process.execPath, ["--input-type=module", "-e", code], { cwd: root, encoding: "utf8" }).trim();
}
