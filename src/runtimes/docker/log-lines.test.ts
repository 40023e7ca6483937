import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type EngineLogEntry, joined } from "./log-lines.ts";

type Piece = readonly [EngineLogEntry["stream"], string];

async function* entries(pieces: readonly Piece[]): AsyncGenerator<readonly EngineLogEntry[]> {
  for (const [index, [stream, text]] of pieces.entries()) yield [{ stream, bytes: Buffer.from(text), time: `2026-01-02T03:04:0${index}Z` }];
}

async function lines(pieces: readonly Piece[], keepOpen = false): Promise<Piece[]> {
  return (await Array.fromAsync(joined(entries(pieces), { keepOpen }))).flat().map(({ stream, bytes }) => [stream, Buffer.from(bytes).toString()]);
}

describe("joined log entries", () => {
  test("a line told in pieces is one, though the other channel comes between", async () => {
    assert.deepEqual(
      await lines([
        ["stdout", "18"],
        ["stderr", "oops\n"],
        ["stdout", "60"],
        ["stdout", "\n"],
        ["stdout", "1861\n"],
      ]),
      [
        ["stderr", "oops\n"],
        ["stdout", "1860\n"],
        ["stdout", "1861\n"],
      ],
    );
  });

  test("a line that nothing ends comes last, or not at all for a reader who goes on", async () => {
    const pieces = [
      ["stdout", "done\n"],
      ["stdout", "prompt> "],
    ] as const;
    assert.deepEqual(await lines(pieces), pieces);
    assert.deepEqual(await lines(pieces, true), [pieces[0]]);
  });

  test("no piece is longer than 16 KiB", async () => {
    const all = await lines(Array.from({ length: 5 }, () => ["stdout", "x".repeat(9000)] as const));
    assert.deepEqual(
      all.map(([, text]) => text.length),
      [16_384, 16_384, 12_232],
    );
  });

  test("a line has the time of its first piece", async () => {
    const [[line] = []] = (
      await Array.fromAsync(
        joined(
          entries([
            ["stdout", "a"],
            ["stdout", "b\n"],
          ]),
          { keepOpen: false },
        ),
      )
    ).filter((some) => some.length > 0);
    assert.equal(line?.time, "2026-01-02T03:04:00Z");
  });
});
