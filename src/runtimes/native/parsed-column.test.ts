import assert from "node:assert/strict";
import { test } from "node:test";
import { ParsedColumn } from "./parsed-column.ts";

test("what a row holds now is what is answered, whoever wrote it", () => {
  const column = new ParsedColumn<{ readonly pid: number }>();
  const first = column.parse("a", '{"pid":1}');
  assert.deepEqual(first, { pid: 1 });
  assert.equal(column.parse("a", '{"pid":1}'), first);
  assert.deepEqual(column.parse("b", '{"pid":1}'), { pid: 1 });
  assert.throws(() => Object.assign(first, { pid: 9 }), TypeError);
  assert.deepEqual(column.parse("a", '{"pid":2}'), { pid: 2 });
  assert.deepEqual(column.parse("a", '{"pid":1}'), { pid: 1 });
});
