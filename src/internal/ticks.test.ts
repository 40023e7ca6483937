import assert from "node:assert/strict";
import { test } from "node:test";
import { Ticks } from "./ticks.ts";

test("everything due in one slot is called together, in order of the slots", async () => {
  const ticks = new Ticks(50);
  const start = performance.now();
  const seen: string[] = [];
  await new Promise<void>((resolve) => {
    ticks.at(start + 120, () => {
      seen.push("c");
      resolve();
    });
    ticks.at(start + 10, () => seen.push("a"));
    ticks.at(start + 11, () => seen.push("b"));
    ticks.at(start + 12, () => seen.push("never"))();
  });
  assert.deepEqual(seen, ["a", "b", "c"]);
  assert.ok(performance.now() - start >= 119);
});

test("what is called off leaves no timer", () => {
  const ticks = new Ticks(50);
  const before = process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
  const off = [1, 2, 3].map((n) => ticks.at(performance.now() + n * 1000, () => assert.fail("called")));
  for (const stop of off) stop();
  assert.equal(process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length, before);
});
