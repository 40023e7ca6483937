import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HealthDetail } from "../runtime/types.ts";
import type { HealthPlan } from "../spec/health-plan.ts";
import { nextHealth, probeDelayMs } from "./health.ts";

const plan: HealthPlan = { probe: { type: "tcp", port: 1 }, intervalMs: 30_000, timeoutMs: 1_000, startPeriodMs: 10_000, retries: 2 };
const begun = new Date("2026-01-01T00:00:00Z");
const at = (seconds: number): Date => new Date(begun.getTime() + seconds * 1000);
const probe = (seconds: number, exitCode: number, output = "") => ({ start: at(seconds), end: at(seconds), exitCode, output });
const starting: HealthDetail = { status: "starting", failingStreak: 0 };

describe("health", () => {
  test("failures of the start period do not count, one success ends it", () => {
    const failed = nextHealth(plan, begun, starting, probe(9, 1));
    assert.deepEqual([failed.status, failed.failingStreak], ["starting", 0]);
    const healthy = nextHealth(plan, begun, failed, probe(9.5, 0));
    assert.equal(healthy.status, "healthy");
    const after = nextHealth(plan, begun, healthy, probe(9.8, 1));
    assert.deepEqual([after.status, after.failingStreak], ["healthy", 1]);
  });

  test("becomes unhealthy after so many failures in a row, healthy with one success", () => {
    const once = nextHealth(plan, begun, starting, probe(20, 1));
    assert.deepEqual([once.status, once.failingStreak], ["starting", 1]);
    const twice = nextHealth(plan, begun, once, probe(50, 1));
    assert.deepEqual([twice.status, twice.failingStreak], ["unhealthy", 2]);
    assert.equal(nextHealth(plan, begun, twice, probe(80, 1)).failingStreak, 3);
    assert.deepEqual(nextHealth(plan, begun, twice, probe(80, 0, "ok")).lastOutput, "ok");
  });

  test("keeps the last five probes and the beginning of a long output", () => {
    let health = starting;
    for (let n = 0; n < 8; n++) health = nextHealth(plan, begun, health, probe(20 + n, 0, `${n}${"x".repeat(5000)}`));
    assert.deepEqual(
      health.log?.map(({ output }) => output[0]),
      ["3", "4", "5", "6", "7"],
    );
    assert.equal(health.lastOutput?.length, 4099);
  });

  test("is looked at more often while it starts up", () => {
    assert.equal(probeDelayMs(plan, begun, starting, at(1)), 1_000);
    assert.equal(probeDelayMs({ ...plan, intervalMs: 200 }, begun, starting, at(1)), 200);
    assert.equal(probeDelayMs(plan, begun, starting, at(11)), 30_000);
    assert.equal(probeDelayMs(plan, begun, { status: "healthy" }, at(1)), 30_000);
  });
});
