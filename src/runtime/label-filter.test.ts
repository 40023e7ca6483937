import assert from "node:assert/strict";
import { test } from "node:test";
import { matchesLabels } from "./label-filter.ts";

test("labels are asked for by name, by value, or by another value", () => {
  const labels = { tier: "web", empty: "", "a.b": "x=y" };
  for (const wanted of ["tier", "tier=web", "tier!=db", "missing!=x", "empty", "empty=", "a.b=x=y"]) assert.ok(matchesLabels(labels, [wanted]), wanted);
  for (const wanted of ["missing", "tier=", "tier!=web", "missing=x", "toString"]) assert.ok(!matchesLabels(labels, [wanted]), wanted);
  assert.ok(matchesLabels(labels, []));
  assert.ok(!matchesLabels(labels, ["tier=web", "missing"]));
});
