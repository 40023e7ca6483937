import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { maxJsonBytes, parseJsonText, readJson } from "./json-body.ts";
import { HttpError } from "./status.ts";

const refused = (status: number) => (error: unknown) => error instanceof HttpError && error.status === status;

describe("a JSON body", () => {
  test("is read over chunk borders; an empty one is nothing", async () => {
    assert.deepEqual(await readJson(Readable.from([Buffer.from('{"a":'), Buffer.from('"ä"}')]), undefined), { a: "ä" });
    assert.equal(await readJson(Readable.from([]), undefined), undefined);
    assert.equal(parseJsonText("  \n"), undefined);
  });

  test("that is too large is refused by what it says and by what it sends", async () => {
    await assert.rejects(readJson(Readable.from([]), maxJsonBytes + 1), refused(413));
    const endless = Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(65_536, " ");
      })(),
    );
    await assert.rejects(readJson(endless, undefined), refused(413));
  });

  test("that is broken, deep, or reaches for a prototype is refused", () => {
    const bad = ["{", '{"a":}', "nonsense", `${"[".repeat(65)}${"]".repeat(65)}`, '{"__proto__":{"x":1}}', '{"a":[{"\\u005f_proto__":1}]}'];
    for (const text of bad) assert.throws(() => parseJsonText(text), refused(400), text);
    assert.ok(parseJsonText(`${"[".repeat(64)}${"]".repeat(64)}`));
    assert.deepEqual(parseJsonText('{"a":"[[[[\\"__proto__"}'), { a: '[[[["__proto__' });
  });
});
