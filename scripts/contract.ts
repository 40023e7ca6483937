/**
 * Runs the runtime contract on backends and counts, for each backend and method, the cases that passed, failed and were skipped:
 * `npm run contract -- [--backend native:crun,native:runc,docker,composite,mock] [--json FILE]`. Without --backend: all of them.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { allCases } from "../src/testing/cases/all.ts";
import { isolated, isolatedEnvironment } from "./lib/isolate.ts";
import { type CaseOutcome, methodRows, type MethodRow } from "./lib/contract-rows.ts";

const root = join(import.meta.dirname, "..");

/** Backend → the file that runs the contract on it. */
const files: Readonly<Record<string, string>> = {
  "native:crun": "test/contract/native-crun.test.ts",
  "native:runc": "test/contract/native-runc.test.ts",
  docker: "test/contract/docker.test.ts",
  "docker:berth": "test/contract/daemon.test.ts",
  podman: "test/contract/podman.test.ts",
  composite: "test/contract/composite.test.ts",
  "composite:mock": "test/contract/mock-composite.test.ts",
  mock: "test/contract/mock.test.ts",
};

interface BackendResult {
  readonly backend: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  readonly methods: readonly MethodRow[];
}

const { values } = parseArgs({ options: { backend: { type: "string" }, json: { type: "string" } } });
const wanted = values.backend?.split(",") ?? Object.keys(files).filter((name) => existsSync(join(root, files[name] ?? "")));
const unknown = wanted.find((name) => files[name] === undefined);
if (unknown !== undefined) {
  process.stderr.write(`there is no backend ${JSON.stringify(unknown)}; there are ${Object.keys(files).join(", ")}\n`);
  process.exit(2);
}
if (process.getuid?.() !== 0) {
  process.stderr.write("the contract runs real containers and needs root: sudo npm run contract\n");
  process.exit(2);
}

const results: BackendResult[] = [];
for (const backend of wanted) {
  const result = resultOf(backend, await outcomesOf(files[backend] ?? ""));
  results.push(result);
  print(result);
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
const [passed, failed, skipped] = [sum((one) => one.passed), sum((one) => one.failed), sum((one) => one.skipped.length)];
process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;

async function outcomesOf(file: string): Promise<readonly CaseOutcome[]> {
  const scratch = mkdtempSync(join(tmpdir(), "berth-contract-run-"));
  const outcomes = join(scratch, "outcomes.json");
  const node = [process.execPath, "--test", `--test-reporter=${join(root, "scripts/lib/contract-reporter.ts")}`, file];
  const [program = "", ...args] = isolated(node);
  try {
    const child = spawn(program, args, {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...isolatedEnvironment(), BERTH_CONTRACT_OUTCOMES: outcomes },
    });
    await new Promise<void>((resolve, reject) => child.once("error", reject).once("close", () => resolve()));
    return JSON.parse(readFileSync(outcomes, "utf8"));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function resultOf(backend: string, outcomes: readonly CaseOutcome[]): BackendResult {
  const count = (result: CaseOutcome["result"]): number => outcomes.filter((one) => one.result === result).length;
  const skipped = outcomes.flatMap(({ name, result, reason }) => (result === "skipped" ? [{ name, reason: reason ?? "no reason given" }] : []));
  return { backend, passed: count("passed"), failed: count("failed"), skipped, methods: methodRows(allCases, outcomes) };
}

function print({ backend, passed, failed, skipped, methods }: BackendResult): void {
  process.stdout.write(`\n${backend}: ${passed} passed, ${failed} failed, ${skipped.length} skipped\n`);
  for (const { method, passed: p, failed: f, skipped: s } of methods) {
    process.stdout.write(`  ${method.padEnd(28)}${String(p).padStart(4)} passed${f === 0 ? "" : `, ${f} failed`}${s === 0 ? "" : `, ${s} skipped`}\n`);
  }
  const byReason = Map.groupBy(skipped, ({ reason }) => reason);
  for (const [reason, cases] of byReason) process.stdout.write(`  skipped ${cases.length}: ${reason}\n`);
}

function sum(of: (result: BackendResult) => number): number {
  return results.reduce((total, result) => total + of(result), 0);
}
