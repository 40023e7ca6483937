/** What backends say they can do: the command prints it, the page about backends shows it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { backendCapabilities } from "../src/open-runtime.ts";
import { runtimeMethods } from "../src/runtime/capabilities.ts";
import { createMockRuntime } from "../src/runtimes/mock/index.ts";
import { capabilityTable, tableMarks } from "../scripts/lib/capability-table.ts";
import { CliBench } from "./support/cli-host.ts";

test("berth capabilities shows every method of every backend", async () => {
  const bench = new CliBench(createMockRuntime());
  const { code, stdout } = await bench.run(["capabilities"]);
  assert.equal(code, 0);
  for (const [index, method] of runtimeMethods.entries()) assert.match(stdout, new RegExp(`^${index + 1} ${method} +\\S+ +\\S+`, "m"));
});

test("berth capabilities --json is a list of cells, with a reason for whatever is not real", async () => {
  const { stdout } = await new CliBench(createMockRuntime()).run(["capabilities", "--json"]);
  const cells: { readonly method: string; readonly backend: string; readonly support: string; readonly reason?: string }[] = JSON.parse(stdout);
  const backends = Object.keys(await backendCapabilities());
  assert.equal(cells.length, runtimeMethods.length * backends.length);
  assert.deepEqual(
    cells.filter(({ support, reason }) => support !== "real" && support !== "neutral" && reason === undefined),
    [],
  );
});

test("the table in docs/backends.md is the backends' own", async () => {
  const page = readFileSync(join(import.meta.dirname, "../docs/backends.md"), "utf8");
  const shown = page.slice(page.indexOf(tableMarks.begin) + tableMarks.begin.length, page.indexOf(tableMarks.end)).trim();
  assert.equal(shown, capabilityTable(await backendCapabilities()), "run node scripts/backends-table.ts");
});
