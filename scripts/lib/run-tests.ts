/** Runs checks and test groups one after the other and sums them up: `run-tests.ts [WORD…]` takes those whose name holds a word. */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { styleText } from "node:util";
import type { Totals } from "./reporter.ts";
import { type Check, checks, groups, type TestGroup } from "./test-groups.ts";

const root = join(import.meta.dirname, "..", "..");
/** A group that takes longer hangs: something in it keeps the process alive. */
const groupLimitMs = 12 * 60_000;

const words = process.argv.slice(2);
const wanted = ({ name }: { readonly name: string }) => words.length === 0 || words.some((word) => name.includes(word));

const parts = [
  ...checks.map((check) => ({ name: check.name, run: () => runCheck(check) })),
  ...groups.map((group) => ({ name: group.name, run: () => runGroup(group) })),
];
const chosen = parts.filter(wanted);
if (chosen.length === 0) {
  process.stderr.write(`nothing is called ${words.join(" or ")}; there are: ${parts.map(({ name }) => name).join(", ")}\n`);
  process.exit(2);
}

let sum: Totals = { passed: 0, failed: 0, skipped: 0 };
for (const part of chosen) {
  process.stdout.write(`${styleText("bold", part.name)}\n`);
  const begun = performance.now();
  const totals = part.run();
  process.stdout.write(`  ${described(totals)} ${styleText("dim", `in ${((performance.now() - begun) / 1000).toFixed(1)} s`)}\n`);
  sum = { passed: sum.passed + totals.passed, failed: sum.failed + totals.failed, skipped: sum.skipped + totals.skipped };
}
process.stdout.write(`\n${described(sum)}\n`);
process.exitCode = sum.failed === 0 ? 0 : 1;

function runCheck({ command }: Check): Totals {
  const [program = "", ...args] = command;
  const done = spawnSync(program, args, { cwd: root, stdio: "inherit" });
  return { passed: done.status === 0 ? 1 : 0, failed: done.status === 0 ? 0 : 1, skipped: 0 };
}

function runGroup(group: TestGroup): Totals {
  const files = globSync([...group.files], { cwd: root })
    .filter((file) => !group.not?.includes(file))
    .sort();
  if (files.length === 0) return failure(`no file matches ${group.files.join(" ")}`);
  if (group.needsRoot && process.getuid?.() !== 0) return failure(`"${group.name}" needs root: run sudo ./scripts/test`);
  const scratch = mkdtempSync(join(tmpdir(), "berth-test-"));
  try {
    return runFiles(files, group.atOnce, join(scratch, "totals.json"));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function runFiles(files: readonly string[], atOnce: number, totalsFile: string): Totals {
  const args = [
    "--test",
    `--test-concurrency=${atOnce}`,
    `--test-reporter=${join(import.meta.dirname, "reporter.ts")}`,
    "--test-reporter-destination=stdout",
    ...files,
  ];
  const done = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: "inherit",
    timeout: groupLimitMs,
    env: { ...process.env, BERTH_TEST_TOTALS: totalsFile },
  });
  const totals = readTotals(totalsFile) ?? { passed: 0, failed: 0, skipped: 0 };
  const complaint = complaintAbout(done, totals);
  return complaint === undefined ? totals : { ...totals, failed: totals.failed + failure(complaint).failed };
}

/** What is wrong besides failed tests. */
function complaintAbout(done: SpawnSyncReturns<Buffer>, totals: Totals): string | undefined {
  if (done.error) return `the tests did not end: ${done.error.message}; after the last one above, something keeps the process alive`;
  if (done.signal !== null) return `the test run was ended by ${done.signal}`;
  if (totals.passed + totals.failed + totals.skipped === 0) return "no test ran";
  if (done.status !== 0 && totals.failed === 0) return `the test run ended with exit code ${done.status}`;
  return undefined;
}

function readTotals(file: string): Totals | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

function failure(message: string): Totals {
  process.stdout.write(`  ${styleText("red", "✗")} ${message}\n`);
  return { passed: 0, failed: 1, skipped: 0 };
}

function described({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`;
}
