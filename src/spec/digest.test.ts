import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { digestAlgorithm, digestHex, digestLike, parseDigest, sha256, tryParseDigest } from "./digest.ts";

test("the digest of bytes is a digest, and names its parts", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const digest = sha256(bytes);
      assert.equal(parseDigest(digest), digest);
      assert.equal(digestAlgorithm(digest), "sha256");
      assert.equal(digestHex(digest), createHash("sha256").update(bytes).digest("hex"));
      assert.equal(digestLike(digest, bytes), digest);
    }),
  );
});

test("a digest is made by the algorithm of its model", () => {
  const model = parseDigest(`sha512:${"0".repeat(128)}`);
  assert.equal(digestLike(model, Buffer.from("x")), `sha512:${createHash("sha512").update("x").digest("hex")}`);
});

const hex = "0123456789abcdef".repeat(4);

for (const text of [
  "",
  ":",
  "sha256",
  "sha256:",
  `sha256:${hex.slice(1)}`,
  `sha256:${hex}0`,
  `sha256:${hex.toUpperCase()}`,
  `sha512:${hex}`,
  `sha256:${hex.slice(1)}g`,
  `SHA256:${hex}`,
  `md5:${hex.slice(0, 32)}`,
  hex,
  `sha256:sha256:${hex}`,
  ` sha256:${hex}`,
  `sha256:${hex}\n`,
  "constructor:x",
  "__proto__:",
  `sha256:${hex.slice(0, 60)}/../`,
]) {
  test(`${JSON.stringify(text)} is no digest`, () => {
    assert.equal(tryParseDigest(text), undefined);
    assert.throws(() => parseDigest(text), { code: "invalid_spec" });
  });
}

test("whatever passes is safe as a file name behind its algorithm", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."sha256:/.0f"), maxLength: 80 }), (text) => {
      const digest = tryParseDigest(text);
      if (digest !== undefined) assert.match(digestHex(digest), /^[0-9a-f]{64}(?:[0-9a-f]{64})?$/);
    }),
  );
});
