import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Frame, type FrameChannel, encodeFrame, FrameDecoder, frameHeader, wholeFrames } from "./multiplexed-stream.ts";

async function* cut(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const size of sizes) {
    yield bytes.subarray(at, at + size);
    at += size;
  }
  yield bytes.subarray(at);
}

const channel = fc.constantFrom<FrameChannel>("stdin", "stdout", "stderr", "system");
const frame = fc.record({ channel, bytes: fc.uint8Array({ maxLength: 60 }) }, { noNullPrototype: true });

describe("multiplexed stream", () => {
  test("frames come out as they went in, wherever the chunks are cut", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { maxLength: 8 }), fc.array(fc.nat({ max: 20 }), { maxLength: 40 }), async (frames, sizes) => {
        const wire = Buffer.concat(frames.map((one) => encodeFrame(one.channel, one.bytes)));
        const found: Frame[] = [];
        for await (const some of wholeFrames(cut(wire, sizes))) {
          for (const one of some) found.push({ channel: one.channel, bytes: Uint8Array.from(one.bytes) });
        }
        assert.deepEqual(found, frames);
      }),
    );
  });

  test("a long frame is handed on in the pieces it came in", () => {
    const decoder = new FrameDecoder();
    const first = [...decoder.push(Buffer.concat([frameHeader("stderr", 10), Buffer.from("abc")]))];
    const second = [...decoder.push(Buffer.from("defghij"))];
    const shown = [...first, ...second].map(({ channel, bytes, last }) => [channel, Buffer.from(bytes).toString(), last]);
    assert.deepEqual(shown, [
      ["stderr", "abc", false],
      ["stderr", "defghij", true],
    ]);
    decoder.end();
  });

  test("what is no frame is refused: an unknown channel, bytes that must be zero, a length beyond all reason", () => {
    for (const header of ["48545450", "01000100", "04000000"]) {
      const bytes = Buffer.concat([Buffer.from(header, "hex"), Buffer.alloc(4)]);
      assert.throws(() => [...new FrameDecoder().push(bytes)], { code: "internal", message: /not in frames/ });
    }
    assert.throws(() => [...new FrameDecoder().push(frameHeader("stdout", 0xffff_ffff))], { code: "internal", message: /frame of 4294967295 bytes/ });
  });

  test("a stream that ends inside a header or a payload is broken", () => {
    for (const part of [Buffer.from([1, 0, 0]), frameHeader("stdout", 5)]) {
      const decoder = new FrameDecoder();
      assert.deepEqual([...decoder.push(part)], []);
      assert.throws(() => decoder.end(), { code: "internal", message: /inside a frame/ });
    }
  });
});
