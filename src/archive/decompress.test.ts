import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { decompressed } from "./decompress.ts";

/** One buffer for all chunks, as the reader of a growing file does it. */
async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  const buffer = Buffer.alloc(size);
  for (let at = 0; at < bytes.length; at += size) yield buffer.subarray(0, bytes.copy(buffer, 0, at, at + size));
}

async function all(bytes: Buffer, chunkBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of decompressed(inChunks(bytes, chunkBytes))) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

const skippable = (nibble: number, content: string): Buffer =>
  Buffer.concat([Buffer.from([0x50 + nibble, 0x2a, 0x4d, 0x18, content.length, 0, 0, 0]), Buffer.from(content)]);
const parts = [Buffer.alloc(600_000, "a"), randomBytes(300_000), Buffer.alloc(0), Buffer.from("end")];
const whole = Buffer.concat(parts);
const withChecksum = { params: { [constants.ZSTD_c_checksumFlag]: 1 } };

describe("decompression", () => {
  for (const chunkBytes of [64, 4096, 262_144, 10_000_000]) {
    test(`everything in chunks of ${chunkBytes}`, async () => {
      assert.deepEqual(await all(whole, chunkBytes), whole, "plain");
      assert.deepEqual(await all(gzipSync(whole), chunkBytes), whole, "gzip");
      assert.deepEqual(await all(Buffer.concat(parts.map((part) => gzipSync(part))), chunkBytes), whole, "gzip members");
      assert.deepEqual(await all(zstdCompressSync(whole), chunkBytes), whole, "zstd");
      assert.deepEqual(await all(Buffer.concat(parts.map((part) => zstdCompressSync(part, withChecksum))), chunkBytes), whole, "zstd frames");
      const skipping = parts.flatMap((part, index) => [skippable(index, "x".repeat(index)), zstdCompressSync(part), skippable(15, "end")]);
      assert.deepEqual(await all(Buffer.concat(skipping), chunkBytes), whole, "zstd with skippable frames");
    });
  }

  test("zstd frames of any content and size, cut anywhere", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 500 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 4, max: 60 }),
        async (frames, chunkBytes) => {
          const stored = Buffer.concat(frames.flatMap((frame) => [zstdCompressSync(frame), skippable(3, "s")]));
          assert.deepEqual(await all(stored, chunkBytes), Buffer.concat(frames));
        },
      ),
      { numRuns: 60 },
    );
  });

  test("nothing at all", async () => assert.equal((await all(Buffer.alloc(0), 10)).length, 0));

  const zstd = zstdCompressSync(randomBytes(100_000));
  const broken: Readonly<Record<string, Buffer>> = {
    "truncated gzip": gzipSync(whole).subarray(0, 5000),
    "damaged gzip": Buffer.concat([gzipSync(whole).subarray(0, 300_000), Buffer.alloc(1000, 1)]),
    "truncated zstd": zstd.subarray(0, 50_000),
    "truncated second zstd frame": Buffer.concat([zstd, zstd.subarray(0, 100)]),
    "truncated zstd magic": Buffer.concat([zstd, zstd.subarray(0, 2)]),
    "rubbish after zstd": Buffer.concat([zstd, Buffer.from("rubbish")]),
    "damaged zstd": Buffer.concat([zstdCompressSync(whole, withChecksum).subarray(0, -5), Buffer.alloc(5, 9)]),
  };
  for (const [name, bytes] of Object.entries(broken)) {
    test(`refused: ${name}`, () => assert.rejects(all(bytes, 4096), { code: "pull_failed", message: /broken compression/ }));
  }

  test("leaving early lets go of the source", async () => {
    let isReturned = false;
    async function* endless(): AsyncGenerator<Buffer> {
      try {
        const bytes = gzipSync(Buffer.alloc(1_000_000));
        for (;;) yield bytes;
      } finally {
        isReturned = true;
      }
    }
    for await (const chunk of decompressed(endless())) if (chunk.length > 0) break;
    assert.ok(isReturned);
  });
});
