/** Runs the files of one test group, several at once, each in a process of its own; what a file says appears whole, when it ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { styleText } from "node:util";
import { isolated, isolatedEnvironment } from "./isolate.ts";
import type { Totals } from "./reporter.ts";
import type { TestGroup } from "./test-groups.ts";

const root = join(import.meta.dirname, "..", "..");
/** What takes longer hangs: something in it keeps the process alive. */
const runLimitMs = 30 * 60_000;
/** Of one test, unless it sets its own; a test that hangs ends with its name. */
const testLimitMs = 6 * 60_000;

/** One process of the test runner. */
interface Run {
  readonly name: string;
  readonly files: readonly string[];
}

export async function runGroup(group: TestGroup): Promise<Totals> {
  const files = [...new Set(group.files.flatMap((pattern) => globSync(pattern, { cwd: root, exclude: group.not ?? [] }).sort()))];
  if (files.length === 0) return failure(`no file matches ${group.files.join(" ")}`);
  if (group.needsRoot && process.getuid?.() !== 0) return failure(`"${group.name}" needs root: run sudo ./scripts/test`);
  const runs: Run[] = group.needsRoot && !group.together ? files.map((file) => ({ name: file, files: [file] })) : [{ name: group.name, files }];
  const totals = await atOnce(runs, group.atOnce, (run) => runFiles(run, group));
  return totals.reduce(plus, none);
}

export const none: Totals = { passed: 0, failed: 0, skipped: 0 };

export function plus(a: Totals, b: Totals): Totals {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

export function failure(message: string): Totals {
  process.stdout.write(`  ${styleText("red", "✗")} ${message}\n`);
  return { ...none, failed: 1 };
}

async function atOnce<T, R>(items: readonly T[], limit: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const queue = [...items.entries()];
  const results: R[] = [];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) results[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: limit }, worker));
  return results;
}

async function runFiles(run: Run, group: TestGroup): Promise<Totals> {
  const scratch = mkdtempSync(join(tmpdir(), "berth-test-"));
  const totalsFile = join(scratch, "totals.json");
  const begun = performance.now();
  try {
    const ended = await endOf(start(run, group, totalsFile));
    process.stdout.write(ended.output);
    const totals = readTotals(totalsFile) ?? none;
    const complaint = complaintAbout(ended, totals);
    const sum = complaint === undefined ? totals : plus(totals, failure(`${run.name}: ${complaint}`));
    if (run.name !== group.name) process.stdout.write(`  ${styleText("dim", `${run.name}: ${sum.passed} passed in ${seconds(begun)}`)}\n`);
    return sum;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function start(run: Run, group: TestGroup, totalsFile: string): ChildProcess {
  const node = [
    process.execPath,
    "--test",
    `--test-concurrency=${group.atOnce}`,
    `--test-timeout=${testLimitMs}`,
    `--test-reporter=${join(import.meta.dirname, "reporter.ts")}`,
    "--test-reporter-destination=stdout",
    ...run.files,
  ];
  const [program = "", ...args] = group.needsRoot ? isolated(node) : node;
  const env = { ...(group.needsRoot ? isolatedEnvironment() : process.env), BERTH_TEST_TOTALS: totalsFile };
  return spawn(program, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
}

interface Ended {
  readonly output: Buffer;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly tooLong: boolean;
}

function endOf(child: ChildProcess): Promise<Ended> {
  const output: Buffer[] = [];
  let tooLong = false;
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (bytes: Buffer) => output.push(bytes));
  const timer = setTimeout(() => {
    tooLong = true;
    // Of what runs isolated this ends process 1, and with it everything inside.
    child.kill("SIGKILL");
  }, runLimitMs);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ output: Buffer.concat(output), code, signal, tooLong });
    });
  });
}

/** What is wrong besides failed tests. */
function complaintAbout(ended: Ended, totals: Totals): string | undefined {
  if (ended.tooLong) return `did not end within ${runLimitMs / 60_000} minutes; something keeps the process alive`;
  if (ended.signal !== null) return `ended by ${ended.signal}`;
  if (totals.passed + totals.failed + totals.skipped === 0) return "no test ran";
  if (ended.code !== 0 && totals.failed === 0) return `ended with exit code ${ended.code}`;
  return undefined;
}

function readTotals(file: string): Totals | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

function seconds(begun: number): string {
  return `${((performance.now() - begun) / 1000).toFixed(1)} s`;
}
