import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { BerthError, isBerthError } from "../errors.ts";
import { isRecord, mediaTypes } from "./descriptor.ts";
import { sha256 } from "./digest.ts";
import { choosePlatform, type ImageIndex, maxManifestBytes, parseManifest } from "./manifest.ts";
import { type OciPlatform, platformToString } from "./platform.ts";

const bytes = (value: unknown): Uint8Array => (value instanceof Uint8Array ? value : Buffer.from(typeof value === "string" ? value : JSON.stringify(value)));
const entry = (text: string, more: object = {}): object => ({ mediaType: mediaTypes.ociManifest, digest: sha256(text), size: text.length, ...more });
const image = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config: entry("config"), layers: [entry("one"), entry("two")] };
const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [entry("m", { platform: { os: "linux", architecture: "amd64" } })] };

describe("parseManifest", () => {
  test("reads an OCI image manifest", () => {
    const parsed = parseManifest(bytes({ ...image, artifactType: "x/y", annotations: { a: "b", n: 1 }, subject: entry("s") }), mediaTypes.ociManifest);
    assert.equal(parsed.kind, "manifest");
    assert.equal(parsed.config.digest, sha256("config"));
    assert.deepEqual(
      parsed.layers.map(({ digest, size }) => [digest, size]),
      [
        [sha256("one"), 3],
        [sha256("two"), 3],
      ],
    );
    assert.equal(parsed.artifactType, "x/y");
    assert.deepEqual(parsed.annotations, { a: "b" });
    assert.equal(parsed.subject?.digest, sha256("s"));
  });

  test("reads an index, a Docker manifest and a Docker list", () => {
    const parsed = parseManifest(bytes(index), mediaTypes.ociIndex);
    assert.equal(parsed.kind, "index");
    assert.deepEqual(
      parsed.manifests.map(({ platform }) => platform && platformToString(platform)),
      ["linux/amd64"],
    );
    assert.equal(parseManifest(bytes({ ...image, mediaType: mediaTypes.dockerManifest }), mediaTypes.dockerManifest).kind, "manifest");
    assert.equal(parseManifest(bytes({ ...index, mediaType: mediaTypes.dockerManifestList }), mediaTypes.dockerManifestList).kind, "index");
  });

  test("goes by the shape where nobody names a type", () => {
    const { mediaType: _, ...bare } = image;
    for (const type of ["application/json", "", "text/plain"]) assert.equal(parseManifest(bytes(bare), type).kind, "manifest");
    assert.equal(parseManifest(bytes(bare), mediaTypes.ociManifest).mediaType, mediaTypes.ociManifest);
    assert.equal(parseManifest(bytes({ schemaVersion: 2, manifests: [] }), "").kind, "index");
  });

  for (const [name, document, type] of [
    ["by its type", "{}", mediaTypes.dockerSchema1Signed],
    ["by its unsigned type", "{}", mediaTypes.dockerSchema1],
    ["by its version", { schemaVersion: 1, fsLayers: [] }, "application/json"],
  ] as const) {
    test(`refuses schema 1, known ${name}, with a remedy`, () => {
      assert.throws(
        () => parseManifest(bytes(document), type),
        (error) => isBerthError(error, "pull_failed") && /schema 1.*push it again/.test(error.message),
      );
    });
  }

  for (const [name, document, type = mediaTypes.ociManifest] of [
    ["no JSON", "{"],
    ["not UTF-8", Buffer.from([0x22, 0xff, 0x22])],
    ["no object", "[]"],
    ["null", "null"],
    ["no schemaVersion", { ...image, schemaVersion: undefined }],
    ["a strange schemaVersion", { ...image, schemaVersion: "2" }],
    ["both an image and an index", { ...image, manifests: index.manifests }],
    ["an index with layers", { ...index, layers: [] }, mediaTypes.ociIndex],
    ["an index delivered as an image", index],
    ["an image delivered as an index", image, mediaTypes.ociIndex],
    ["an image that calls itself an index", { ...image, mediaType: mediaTypes.ociIndex }, "application/json"],
    ["a mediaType that is no string", { ...image, mediaType: 7 }],
    ["no config", { ...image, config: undefined }],
    ["no layers", { ...image, layers: undefined }],
    ["layers that are no list", { ...image, layers: {} }],
    ["a layer that is no descriptor", { ...image, layers: [null] }],
    ["a digest with a path", { ...image, layers: [entry("x", { digest: "sha256:../../etc/passwd" })] }],
    ["a negative size", { ...image, layers: [entry("x", { size: -1 })] }],
    ["a fractional size", { ...image, layers: [entry("x", { size: 0.5 })] }],
    ["an enormous size", { ...image, layers: [entry("x", { size: 2 ** 60 })] }],
    ["manifests that are no list", { schemaVersion: 2, manifests: "x" }, mediaTypes.ociIndex],
    ["more than 4 MiB", " ".repeat(maxManifestBytes + 1)],
  ] as const) {
    test(`refuses ${name}`, () => assert.throws(() => parseManifest(bytes(document), type), { code: "invalid_spec" }));
  }

  test("takes any JSON for a manifest or throws a BerthError", () => {
    const key = fc.constantFrom("schemaVersion", "mediaType", "config", "layers", "manifests", "digest", "size", "platform", "subject", "__proto__");
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(2, null, "", mediaTypes.ociIndex, sha256("x")),
        fc.array(tie("tree"), { maxLength: 3 }),
        fc.dictionary(key, tie("tree"), { maxKeys: 5 }),
      ),
    }));
    fc.assert(
      fc.property(tree, fc.constantFrom(mediaTypes.ociManifest, mediaTypes.ociIndex, ""), (document, type) => {
        const whole = { schemaVersion: 2, ...(isRecord(document) ? document : {}) };
        try {
          parseManifest(bytes(whole), type);
        } catch (error) {
          assert.ok(error instanceof BerthError, String(error));
        }
      }),
    );
  });
});

describe("choosePlatform", () => {
  const platform = (text: string): OciPlatform => {
    const [os = "", architecture = "", variant] = text.split("/");
    return { os, architecture, variant };
  };
  const indexOf = (...platforms: (string | undefined)[]): ImageIndex => {
    const manifests = platforms.map((text, at) => entry(`${at}`, text === undefined ? {} : { platform: platform(text) }));
    const parsed = parseManifest(bytes({ schemaVersion: 2, manifests }), "");
    assert.ok(parsed.kind === "index");
    return parsed;
  };
  const chosen = (wanted: string, ...offered: (string | undefined)[]): number => {
    const { digest } = choosePlatform(indexOf(...offered), platform(wanted));
    return offered.findIndex((_, at) => sha256(`${at}`) === digest);
  };

  test("takes the very platform, the first of equals", () => {
    assert.equal(chosen("linux/arm64", "linux/amd64", "linux/arm64/v8", "linux/arm64"), 1);
    assert.equal(chosen("windows/amd64", "linux/amd64", "windows/amd64"), 1);
  });

  test("takes the best arm variant that runs", () => {
    assert.equal(chosen("linux/arm/v7", "linux/arm/v5", "linux/arm/v6", "linux/arm/v7", "linux/arm64"), 2);
    assert.equal(chosen("linux/arm/v7", "linux/arm/v5", "linux/arm/v6", "linux/arm64"), 1);
    assert.equal(chosen("linux/arm/v6", "linux/arm/v7", "linux/arm/v5"), 1);
    assert.equal(chosen("linux/arm", "linux/arm/v6", "linux/arm/v7"), 1);
  });

  test("skips attestations, also those that lie about their platform", () => {
    assert.equal(chosen("linux/amd64", "unknown/unknown", "linux/amd64"), 1);
    assert.throws(() => chosen("unknown/unknown", "unknown/unknown"), { code: "pull_failed" });
    const manifests = [entry("a", { platform: platform("linux/amd64"), annotations: { "vnd.docker.reference.type": "attestation-manifest" } })];
    const lying = parseManifest(bytes({ schemaVersion: 2, manifests }), "");
    assert.ok(lying.kind === "index");
    assert.throws(() => choosePlatform(lying, platform("linux/amd64")), { code: "pull_failed" });
  });

  test("takes the only image there is when it names no platform", () => {
    assert.equal(chosen("linux/amd64", undefined), 0);
    assert.equal(chosen("linux/amd64", "unknown/unknown", undefined), 1);
    assert.throws(() => chosen("linux/amd64", undefined, undefined), { code: "pull_failed" });
  });

  test("says what was wanted and what is offered", () => {
    const offered = indexOf("linux/amd64", "linux/arm/v7", "unknown/unknown");
    assert.throws(
      () => choosePlatform(offered, platform("linux/arm64"), "r.test/app:1"),
      (error) => {
        assert.ok(isBerthError(error, "pull_failed"));
        assert.equal(error.message, "no matching manifest for linux/arm64 in r.test/app:1; it offers linux/amd64, linux/arm/v7");
        assert.equal(error.fields.image, "r.test/app:1");
        return true;
      },
    );
    assert.throws(() => choosePlatform(indexOf(), platform("linux/arm64")), /in the image index; it offers nothing/);
    assert.throws(
      () => choosePlatform(indexOf("evil\n\u001b[31m/x"), platform("linux/arm64")),
      (error) => error instanceof Error && /^[\x20-\x7e]*$/.test(error.message),
    );
  });
});
