import assert from "node:assert/strict";
import { test } from "node:test";
import { contests } from "./contests.ts";
import { rowWork } from "./row-work.ts";

const names = contests.flatMap((contest) => contest.rows.map((row) => row.name));

test("every row of the bench has a name of its own, and words for the README", () => {
  assert.deepEqual(names, [...new Set(names)]);
  assert.deepEqual(Object.keys(rowWork).sort(), names.toSorted());
});
