/** Runs checks and test groups one after the other and sums them up: `run-tests.ts [WORD…]` takes those whose name holds a word. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { styleText } from "node:util";
import type { Totals } from "./reporter.ts";
import { none, plus, runGroup } from "./run-group.ts";
import { type Check, checks, groups } from "./test-groups.ts";

const root = join(import.meta.dirname, "..", "..");

const words = process.argv.slice(2);
const wanted = ({ name, byNameOnly = false }: { readonly name: string; readonly byNameOnly?: boolean }) =>
  words.length === 0 ? !byNameOnly : words.some((word) => name.includes(word));

const parts = [
  ...checks.map((check) => ({ name: check.name, run: () => runCheck(check) })),
  ...groups.map((group) => ({ ...group, run: () => runGroup(group) })),
];
const chosen = parts.filter(wanted);
if (chosen.length === 0) {
  process.stderr.write(`nothing is called ${words.join(" or ")}; there are: ${parts.map(({ name }) => name).join(", ")}\n`);
  process.exit(2);
}

let sum = none;
for (const part of chosen) {
  process.stdout.write(`${styleText("bold", part.name)}\n`);
  const begun = performance.now();
  const totals = await part.run();
  process.stdout.write(`  ${described(totals)} ${styleText("dim", `in ${((performance.now() - begun) / 1000).toFixed(1)} s`)}\n`);
  sum = plus(sum, totals);
}
process.stdout.write(`\n${described(sum)}\n`);
process.exitCode = sum.failed === 0 ? 0 : 1;

function runCheck({ command }: Check): Totals {
  const [program = "", ...args] = command;
  const done = spawnSync(program, args, { cwd: root, stdio: "inherit" });
  return done.status === 0 ? { ...none, passed: 1 } : { ...none, failed: 1 };
}

function described({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`;
}
