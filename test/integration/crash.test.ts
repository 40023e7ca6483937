/**
 * kill -9 in the middle of every operation that changes something, at more than a hundred points. After each, the next engine
 * must find or undo what was half done: mounts, cgroups, interfaces, leases, directories and records are compared, and the
 * operation must be possible again. The operations are a table: test/support/crash/table.ts.
 */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { operations } from "../support/crash/table.ts";

const program = join(import.meta.dirname, "../support/crash/run-operation.ts");
const atOnce = Math.max(2, Math.min(4, availableParallelism()));

const cache = mkdtempSync(join(tmpdir(), "berth-crash-cache-"));
process.env["NODE_COMPILE_CACHE"] = cache;
before(() => void execFileSync(process.execPath, [join(import.meta.dirname, "../support/crash/victim.ts")]));
after(() => rmSync(cache, { recursive: true, force: true }));

/** Each operation has a state directory and namespaces of its own, so several run at once; whatever is left goes with them. */
async function killEverywhere(operation: string): Promise<string> {
  const base = mkdtempSync(join(tmpdir(), "berth-crash-"));
  try {
    return await isolated([program, operation, base]);
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

function isolated(program: readonly string[]): Promise<string> {
  const script = 'ip link set lo up && "$@"; exit $?';
  const args = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script, "sh", process.execPath, ...program];
  const env = { ...process.env, BERTH_CRASH_RUN: randomBytes(4).toString("hex") };
  return new Promise((resolve, reject) => {
    execFile("unshare", args, { env, encoding: "utf8" }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${stdout}${stderr}`));
      else resolve(stdout.trim());
    });
  });
}

describe("kill -9", { concurrency: atOnce }, () => {
  test("falls at a hundred points or more", () => {
    assert.ok(operations.reduce((sum, { points }) => sum + points, 0) >= 100);
  });

  for (const { name, points } of operations) {
    test(`in the middle of ${name}, ${points} points`, async (t) => t.diagnostic(await killEverywhere(name)));
  }
});
