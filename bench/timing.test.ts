import assert from "node:assert/strict";
import { test } from "node:test";
import { percentile, timed } from "./timing.ts";

test("a percentile is one of the values, however few there are", () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.equal(percentile(hundred, 0.99), 99);
  assert.equal(percentile(hundred, 1), 100);
  assert.equal(percentile([3, 1, 2], 0.99), 3);
  assert.equal(percentile([7], 0), 7);
  assert.equal(percentile([], 0.5), NaN);
});

test("work that is repeated in a round is done that often", async () => {
  let done = 0;
  const figures = await timed(async () => void (done += 1), 5)();
  assert.equal(done, 5);
  assert.equal(figures.length, 1);
});
