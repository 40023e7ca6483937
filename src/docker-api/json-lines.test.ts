import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { encodeJsonLine, jsonLines, JsonLinesDecoder } from "./json-lines.ts";

async function* bytesIn(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe("JSON lines", () => {
  test("values come out as they went in, wherever the chunks are cut", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.jsonValue()), fc.integer({ min: 1, max: 9 }), async (values, size) => {
        const expected: unknown[] = values.map((value): unknown => JSON.parse(JSON.stringify(value)));
        assert.deepEqual(await Array.fromAsync(jsonLines(bytesIn(values.map(encodeJsonLine).join(""), size))), expected);
      }),
    );
  });

  test("carriage returns, empty lines and a last line without newline are fine", async () => {
    assert.deepEqual(await Array.fromAsync(jsonLines(bytesIn('{"a":1}\r\n\r\n\n{"b":"ü"}', 3))), [{ a: 1 }, { b: "ü" }]);
  });

  test("a value that is cut off or no JSON is an error, after those before it", async () => {
    const found: unknown[] = [];
    await assert.rejects(
      async () => {
        for await (const value of jsonLines(bytesIn('{"a":1}\n{"b":', 4))) found.push(value);
      },
      { code: "internal", message: /not JSON/ },
    );
    assert.deepEqual(found, [{ a: 1 }]);
  });

  test("a line without end does not fill the memory", () => {
    const decoder = new JsonLinesDecoder({ maxLineBytes: 100 });
    assert.throws(
      () => {
        for (let i = 0; i < 20; i++) [...decoder.push(Buffer.alloc(10, 0x20))];
      },
      { code: "internal", message: /more than 100 bytes/ },
    );
  });
});
