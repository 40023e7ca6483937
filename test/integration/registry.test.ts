/** The registry client against the distribution project's own registry. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { parseImageConfig } from "../../src/spec/image-config.ts";
import { choosePlatform, parseManifest } from "../../src/spec/manifest.ts";
import { canonicalReference, parseReference } from "../../src/spec/reference.ts";
import { createRegistryClient } from "../../src/registry/client.ts";
import { isRegistryUnavailable } from "../../src/registry/failure.ts";
import type { RegistryClient } from "../../src/registry/types.ts";
import { mediaTypes } from "../../src/spec/descriptor.ts";
import { sha256 } from "../../src/spec/digest.ts";
import { buildImage, pushBlob, pushImage, pushIndex, type PushedImage } from "../support/push.ts";
import { type RegistryServer, startRegistry } from "../support/registry-server.ts";

const auth = { username: "ann", password: "hunter22" };
let open: RegistryServer;
let locked: RegistryServer;
let client: RegistryClient;

before(async () => {
  [open, locked] = await Promise.all([startRegistry(), startRegistry({ auth })]);
  client = createRegistryClient({ credentials: async () => undefined });
});
after(async () => {
  client.close();
  await Promise.all([open.close(), locked.close()]);
});

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Resolves, reads manifest and config, and compares every layer with what was pushed. */
async function pullWhole(pushed: PushedImage, layers: readonly Uint8Array[], o: { auth?: typeof auth } = {}): Promise<void> {
  const reference = parseReference(pushed.reference);
  const resolved = await client.resolve(reference, o);
  assert.deepEqual(resolved, pushed.manifest);
  const { descriptor, bytes } = await client.manifest(reference, resolved, o);
  const manifest = parseManifest(bytes, descriptor.mediaType);
  assert.ok(manifest.kind === "manifest");
  assert.equal(sha256(bytes), pushed.manifest.digest);
  const config = await collect(client.blob(reference, manifest.config, o));
  assert.equal(sha256(config), manifest.config.digest);
  assert.equal(parseImageConfig(config).os, "linux");
  const received = await Promise.all(manifest.layers.map((layer) => collect(client.blob(reference, layer, o))));
  assert.deepEqual(received.map(sha256), layers.map(sha256));
}

describe("an image comes back as it was pushed", () => {
  const tars = [randomBytes(3_000_000), randomBytes(10_000)];
  for (const [compression, format] of [
    ["gzip", "oci"],
    ["zstd", "oci"],
    ["none", "oci"],
    ["gzip", "docker"],
  ] as const) {
    test(`${format} manifest, ${compression} layers`, async () => {
      const built = buildImage({ layers: tars, compression });
      await pullWhole(await pushImage(open.host, `team/${format}`, compression, { ...built, format }), built.layers);
    });
  }

  test("from a registry that demands an account", async () => {
    const built = buildImage({ layers: tars });
    await pullWhole(await pushImage(locked.host, "team/app", "1", { ...built, auth }), built.layers, { auth });
  });

  test("by digest, with a tag that is not there", async () => {
    const pushed = await pushImage(open.host, "team/digest", "here", buildImage({ layers: tars }));
    const reference = parseReference(`${open.host}/team/digest:gone@${pushed.manifest.digest}`);
    assert.equal((await client.resolve(reference)).digest, pushed.manifest.digest);
    assert.equal((await client.manifest(reference, undefined)).descriptor.digest, pushed.manifest.digest);
  });

  for (const format of ["oci", "docker"] as const) {
    test(`by the platform of an index (${format})`, async () => {
      const platforms = [
        { os: "linux", architecture: "amd64" },
        { os: "linux", architecture: "arm64", variant: "v8" },
        { os: "linux", architecture: "arm", variant: "v6" },
      ];
      const manifests = [];
      for (const platform of platforms) {
        const pushed = await pushImage(open.host, "team/multi", platform.architecture, { ...buildImage({ layers: [], config: platform }), format });
        manifests.push({ ...pushed.manifest, platform });
      }
      await pushIndex(open.host, "team/multi", format, { manifests, format });
      const reference = parseReference(`${open.host}/team/multi:${format}`);
      const { descriptor, bytes } = await client.manifest(reference, undefined);
      const index = parseManifest(bytes, descriptor.mediaType);
      assert.ok(index.kind === "index");
      for (const [at, platform] of platforms.entries()) assert.equal(choosePlatform(index, platform).digest, manifests[at]?.digest);
      const chosen = choosePlatform(index, { os: "linux", architecture: "arm", variant: "v7" });
      const { bytes: arm } = await client.manifest(reference, chosen);
      assert.equal(sha256(arm), manifests[2]?.digest);
    });
  }

  test("a blob from its middle on", async () => {
    const bytes = randomBytes(100_000);
    const blob = await pushBlob(open.host, "team/range", bytes);
    const reference = parseReference(`${open.host}/team/range`);
    assert.deepEqual(await collect(client.blob(reference, blob, { offset: 99_000 })), bytes.subarray(99_000));
  });
});

describe("a refusal says what and why", () => {
  test("an unknown repository or tag is status 404", async () => {
    await pushImage(open.host, "team/known", "1", buildImage({ layers: [] }));
    for (const name of [`${open.host}/team/unknown:1`, `${open.host}/team/known:2`]) {
      const reference = parseReference(name);
      for (const call of [() => client.resolve(reference), () => client.manifest(reference, undefined)]) {
        await assert.rejects(
          call(),
          (error) => error instanceof Error && error.message.startsWith(`not found: ${name}`) && "status" in error && error.status === 404,
        );
      }
    }
  });

  test("an unknown blob is status 404", async () => {
    const absent = { mediaType: mediaTypes.ociLayer, digest: sha256("absent"), size: 6 };
    await assert.rejects(collect(client.blob(parseReference(`${open.host}/team/known`), absent)), { code: "pull_failed", status: 404 });
  });

  test("no account and a wrong one are status 401, and the right one works after that", async () => {
    const pushed = await pushImage(locked.host, "team/private", "1", { ...buildImage({ layers: [] }), auth });
    const reference = parseReference(pushed.reference);
    await assert.rejects(client.resolve(reference), { code: "pull_failed", status: 401 });
    await assert.rejects(client.resolve(reference, { auth: { ...auth, password: "wrong-one" } }), (error) => {
      assert.ok(error instanceof Error && "status" in error);
      assert.equal(error.status, 401);
      assert.doesNotMatch(`${error.message} ${error.stack}`, /wrong-one|hunter22/);
      return true;
    });
    assert.equal((await client.resolve(reference, { auth })).digest, pushed.manifest.digest);
  });

  test("a registry that went away is told apart from one that refuses", async () => {
    const gone = await startRegistry();
    const pushed = await pushImage(gone.host, "app", "1", buildImage({ layers: [] }));
    const reference = parseReference(pushed.reference);
    assert.equal(canonicalReference(reference), pushed.reference);
    const other = createRegistryClient({ credentials: async () => undefined, clock: { delay: async () => {} } });
    await other.resolve(reference);
    await gone.close();
    await assert.rejects(other.resolve(reference), (error) => isRegistryUnavailable(error));
    other.close();
  });
});

test("a mirror serves Docker Hub's names", async () => {
  const built = buildImage({ layers: [randomBytes(1000)] });
  const pushed = await pushImage(open.host, "hub/library/app", "1", built);
  const mirrored = createRegistryClient({ mirrors: { "docker.io": [`http://${open.host}/hub`] }, credentials: async () => undefined });
  assert.equal((await mirrored.resolve(parseReference("app:1"))).digest, pushed.manifest.digest);
  mirrored.close();
});
