import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { completeHealth } from "./complete-policy.ts";
import { healthPlan } from "./health-plan.ts";

const plan = (spec: unknown, image?: Parameters<typeof healthPlan>[1]) => healthPlan(spec === undefined ? undefined : completeHealth(spec, "health"), image);
const second = 1_000_000_000;

describe("the health plan", () => {
  test("takes the spec's check with the contract's defaults", () => {
    assert.deepEqual(plan({ check: { type: "command", command: "test -e /x" } }), {
      probe: { type: "command", argv: ["/bin/sh", "-c", "test -e /x"] },
      intervalMs: 10_000,
      timeoutMs: 5_000,
      startPeriodMs: 5_000,
      retries: 3,
    });
    assert.deepEqual(plan({ check: { type: "command", command: ["a", "b c"] } })?.probe, { type: "command", argv: ["a", "b c"] });
    assert.deepEqual(plan({ check: { type: "http", url: "http://x/y" } })?.probe, { type: "http", url: "http://x/y", expectStatus: 200 });
  });

  test("takes the image's HEALTHCHECK with Docker's defaults where the spec has none", () => {
    assert.deepEqual(plan(undefined, { test: ["CMD", "curl", "-f", "x"] }), {
      probe: { type: "command", argv: ["curl", "-f", "x"] },
      intervalMs: 30_000,
      timeoutMs: 30_000,
      startPeriodMs: 0,
      retries: 3,
    });
    const image = { test: ["CMD-SHELL", "exit 0"], interval: 2 * second, timeout: second, startPeriod: 3 * second, retries: 9 };
    assert.deepEqual(plan(undefined, image), {
      probe: { type: "command", argv: ["/bin/sh", "-c", "exit 0"] },
      intervalMs: 2_000,
      timeoutMs: 1_000,
      startPeriodMs: 3_000,
      retries: 9,
    });
    assert.equal(plan({ check: { type: "tcp", port: 80 } }, image)?.probe.type, "tcp");
    assert.deepEqual(plan({ interval: "7s", check: { type: "image" } }, image)?.intervalMs, 7_000);
  });

  test("is none without a check, for NONE, and for a port nobody can know", () => {
    assert.equal(plan(undefined), undefined);
    assert.equal(plan(undefined, { test: ["NONE"] }), undefined);
    assert.equal(plan(undefined, { test: [] }), undefined);
    assert.equal(plan({ check: { type: "none" } }, { test: ["CMD", "true"] }), undefined);
    assert.equal(plan({ check: { type: "image" } }), undefined);
    assert.equal(plan({ check: { type: "tcp" } }), undefined);
  });
});
