import assert from "node:assert/strict";
import { test } from "node:test";
import { matchesLabels } from "./label-filter.ts";

test("label filters must all hold; ! and != exclude", () => {
  const labels = { app: "shop", empty: "", "with=": "x" };
  for (const held of [["app"], ["app=shop"], ["empty="], ["empty"], ["!none"], ["app!=web"], ["!app=web"], ["app", "none!=x"], []]) {
    assert.equal(matchesLabels(labels, held), true, held.join());
  }
  for (const failed of [["none"], ["app=web"], ["!app"], ["app!=shop"], ["app", "none"], ["toString"]]) {
    assert.equal(matchesLabels(labels, failed), false, failed.join());
  }
});
