import assert from "node:assert/strict";
import { test } from "node:test";
import { clean, readErrorBody } from "./failure.ts";

test("error bodies give codes and words, and no secrets", () => {
  const read = (body: string): ReturnType<typeof readErrorBody> => readErrorBody(Buffer.from(body), ["s3cret"]);
  const denied = read('{"errors":[{"code":"DENIED","message":"no s3cret at https://u:p@h/x?sig=abc"},{"code":"X"},7]}');
  assert.deepEqual(denied, { codes: ["DENIED", "X"], text: "DENIED: no … at https://h/x X" });
  assert.equal(read('{"details":"wrong password"}').text, "wrong password");
  assert.equal(read("too\u001b[31m many\nrequests").text, "too [31m many requests");
  assert.equal(read("<html><body>502</body></html>").text, "");
  for (const odd of ["", "null", "[]", '{"errors":{}}', '{"errors":[[]]}']) assert.deepEqual(read(odd).codes, []);
  assert.equal(clean("x".repeat(10_000), []).length, 500);
});
