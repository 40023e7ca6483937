import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RestartPolicy } from "../spec/service-spec.ts";
import { type EndedRun, restartDelayMs, resumesAtBoot } from "./restart-policy.ts";

const ended = (run: Partial<EndedRun> = {}): EndedRun => ({ exitCode: 1, ranMs: 50, stoppedByUser: false, isUnhealthy: false, restarts: 0, ...run });

const delays = (policy: RestartPolicy, count: number, run: Partial<EndedRun> = {}): (number | undefined)[] => {
  const found: (number | undefined)[] = [];
  for (let restarts = 0; restarts < count; restarts++) found.push(restartDelayMs(policy, ended({ ...run, restarts, lastDelayMs: found.at(-1) })));
  return found;
};

describe("the restart policy", () => {
  test("waits 100 ms, then twice as long each time, at most a minute", () => {
    assert.deepEqual(delays({ kind: "always" }, 12), [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000]);
    assert.deepEqual(delays({ kind: "always", delay: 40_000 }, 3), [40_000, 60_000, 60_000]);
    assert.deepEqual(delays({ kind: "always", delay: 90_000 }, 2), [90_000, 90_000]);
  });

  test("begins anew after ten seconds of running, unless it ended unhealthy", () => {
    const long = ended({ ranMs: 10_000, lastDelayMs: 6400 });
    assert.equal(restartDelayMs({ kind: "always" }, long), 100);
    assert.equal(restartDelayMs({ kind: "always" }, { ...long, isUnhealthy: true }), 12_800);
    assert.equal(restartDelayMs({ kind: "always" }, { ...long, ranMs: 9_999 }), 12_800);
  });

  test("on_failure wants a failure, and no more attempts than allowed", () => {
    assert.equal(restartDelayMs({ kind: "on_failure" }, ended({ exitCode: 0 })), undefined);
    assert.equal(restartDelayMs({ kind: "on_failure" }, ended({ restarts: 999 })), 100);
    assert.deepEqual(delays({ kind: "on_failure", maxAttempts: 2 }, 3), [100, 200, undefined]);
  });

  test("always and unless_stopped do not look at the code, no does nothing", () => {
    for (const kind of ["always", "unless_stopped"] as const) assert.equal(restartDelayMs({ kind }, ended({ exitCode: 0 })), 100);
    assert.equal(restartDelayMs({ kind: "no" }, ended()), undefined);
  });

  test("is suspended by a stop of the user; only always comes back with the daemon", () => {
    for (const kind of ["always", "unless_stopped", "on_failure"] as const) {
      assert.equal(restartDelayMs({ kind }, ended({ stoppedByUser: true })), undefined);
      assert.equal(resumesAtBoot({ kind }, { stoppedByUser: true }), kind === "always");
      assert.equal(resumesAtBoot({ kind }, { stoppedByUser: false }), false);
    }
  });
});
