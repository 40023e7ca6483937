/** The image store against a real registry, and against servers that lie. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { imagesSchema } from "../../src/images/image-records.ts";
import { type ImageStore, openImageStore } from "../../src/images/image-store.ts";
import type { PullStatus } from "../../src/images/pull-progress.ts";
import { createRegistryClient } from "../../src/registry/client.ts";
import { type Descriptor, mediaTypes } from "../../src/spec/descriptor.ts";
import { digestHex, sha256 } from "../../src/spec/digest.ts";
import { parseReference } from "../../src/spec/reference.ts";
import { openDatabase } from "../../src/state/database.ts";
import { type TarFixture, writeTar } from "../../src/testing/tar-writer.ts";
import { type HttpServer, serveHttp } from "../support/http-server.ts";
import { buildImage, pushBlob, pushImage, pushIndex, pushManifest } from "../support/push.ts";
import { type RegistryServer, startRegistry } from "../support/registry-server.ts";

const dir = mkdtempSync(join(tmpdir(), "berth-pull-"));
let registry: RegistryServer;
let count = 0;
before(async () => {
  registry = await startRegistry();
});
after(async () => {
  await registry.close();
  rmSync(dir, { recursive: true, force: true });
});

interface Opened extends AsyncDisposable {
  readonly root: string;
  readonly store: ImageStore;
  readonly warnings: readonly string[];
}

async function open(root = join(dir, `store-${++count}`)): Promise<Opened> {
  const db = await openDatabase(join(root, "state", "berth.db"), [imagesSchema]);
  const client = createRegistryClient({ clock: { delay: async () => {} } });
  const warnings: string[] = [];
  const store = openImageStore({ root, db, registry: client, onWarning: (text) => warnings.push(text) });
  const close = async (): Promise<void> => {
    await store.close();
    client.close();
    db.close();
  };
  return { root, store, warnings, [Symbol.asyncDispose]: close };
}

const files = (...names: string[]): TarFixture[] => names.map((name) => ({ name, data: `content of ${name}` }));

/** Pushes an image of one layer per list of entries and answers its reference. */
async function push(
  layers: readonly (readonly TarFixture[])[],
  o: { tag?: string; repo?: string; config?: object; compression?: "gzip" | "zstd" | "none" } = {},
) {
  const image = buildImage({ layers: layers.map(writeTar), config: o.config, compression: o.compression });
  const pushed = await pushImage(registry.host, o.repo ?? `repo${++count}`, o.tag ?? "latest", image);
  return { ...pushed, parsed: parseReference(pushed.reference), diffIds: image.diffIds };
}

/** What is in the store's directories but should not be there after a failed or aborted pull. */
function leftovers(root: string): string[] {
  return readdirSync(join(root, "snapshots"));
}

async function refusedPull(reference: string, message: RegExp, code = "pull_failed"): Promise<void> {
  await using opened = await open();
  await assert.rejects(opened.store.pull(parseReference(reference), { policy: "always" }), { code, message });
  assert.deepEqual(leftovers(opened.root), []);
  assert.deepEqual(opened.store.list(), []);
}

const statuses = (events: readonly PullStatus[], id: string | undefined): string[] => events.filter((event) => event.id === id).map((event) => event.status);

describe("pulling an image", () => {
  for (const compression of ["gzip", "zstd", "none"] as const) {
    test(`${compression} layers`, async () => {
      const pushed = await push([files("a", "same"), [{ name: ".wh.a" }, { name: "same", data: "newer" }]], {
        compression,
        config: { config: { Cmd: ["/bin/sh"], Env: ["A=1"] } },
      });
      await using opened = await open();
      const image = await opened.store.pull(pushed.parsed, { policy: "if_not_present" });
      assert.equal(image.id, pushed.config.digest);
      assert.equal(image.manifestDigest, pushed.manifest.digest);
      assert.deepEqual(image.names, [pushed.reference]);
      assert.deepEqual(image.repoDigests, [`${pushed.reference.replace(/:latest$/, "")}@${pushed.manifest.digest}`]);
      assert.deepEqual(image.config.config.cmd, ["/bin/sh"]);
      assert.equal(image.sizeBytes, "content of acontent of samenewer".length);
      const [top = "", base = ""] = opened.store.layerPaths(image);
      assert.equal(readFileSync(join(base, "a"), "utf8"), "content of a");
      assert.equal(readFileSync(join(top, "same"), "utf8"), "newer");
      assert.ok(statSync(join(top, "a")).isCharacterDevice());
      for (const blob of [pushed.manifest, pushed.config, ...pushed.layers]) assert.ok(opened.store.content.has(blob.digest));
      assert.deepEqual(readdirSync(join(opened.root, "content", "ingest")), []);
      assert.equal(readdirSync(join(opened.root, "snapshots")).length, 2, "no temporary directory and no lock is left");
    });
  }

  test("the store remembers, finds by every name, and answers without the registry", async () => {
    const pushed = await push([files("f")], { repo: "found/here" });
    await using opened = await open();
    const image = await opened.store.pull(pushed.parsed, { policy: "always" });
    await using again = await open(opened.root);
    for (const name of [pushed.reference, image.id, image.id.slice(7), image.id.slice(7, 19), `${registry.host}/found/here@${pushed.manifest.digest}`]) {
      assert.equal(again.store.find(name)?.id, image.id, name);
    }
    assert.equal(again.store.find("docker.io/found/here"), undefined);
    assert.equal(again.store.find("0".repeat(64)), undefined);
    assert.throws(() => again.store.find("Bad Name"), { code: "invalid_spec" });
    assert.deepEqual(again.store.get(image.id), image);
    assert.deepEqual(again.store.list(), [image]);
  });

  test("an image without layers has one empty directory", async () => {
    const pushed = await push([]);
    await using opened = await open();
    const image = await opened.store.pull(pushed.parsed, { policy: "always" });
    const paths = opened.store.layerPaths(image);
    assert.deepEqual([paths.length, readdirSync(paths[0] ?? "/"), image.sizeBytes, image.chainId], [1, [], 0, undefined]);
  });

  test("an image with the same layer twice", async () => {
    const pushed = await push([files("x"), files("y"), files("x")]);
    await using opened = await open();
    const image = await opened.store.pull(pushed.parsed, { policy: "always" });
    assert.equal(opened.store.layerPaths(image).filter((path) => existsSync(join(path, "x"))).length, 2);
  });

  test("by digest, without a name", async () => {
    const pushed = await push([files("f")], { repo: "by/digest" });
    await using opened = await open();
    const reference = parseReference(`${registry.host}/by/digest@${pushed.manifest.digest}`);
    const image = await opened.store.pull(reference, { policy: "if_not_present" });
    assert.deepEqual(image.names, []);
    assert.equal((await opened.store.pull(reference, { policy: "never" })).id, image.id);
  });

  test("the platform that was asked for, of an index", async () => {
    const host = registry.host;
    const platforms = ["amd64", "arm64"].map((architecture) => ({ os: "linux", architecture }));
    const manifests: (Descriptor & { platform: { os: string; architecture: string } })[] = [];
    for (const platform of platforms) {
      const image = buildImage({ layers: [writeTar(files(platform.architecture))], config: platform });
      manifests.push({ ...(await pushImage(host, "multi", platform.architecture, image)).manifest, platform });
    }
    const index = await pushIndex(host, "multi", "latest", { manifests });
    await using opened = await open();
    const reference = parseReference(`${host}/multi`);
    for (const platform of platforms) {
      const image = await opened.store.pull(reference, { policy: "if_not_present", platform });
      assert.equal(image.config.architecture, platform.architecture);
      assert.deepEqual(image.repoDigests, [`${host}/multi@${index.digest}`]);
    }
    const missing = { os: "linux", architecture: "s390x" };
    await assert.rejects(opened.store.pull(reference, { policy: "always", platform: missing }), {
      code: "pull_failed",
      message: /no matching manifest for linux\/s390x/,
    });
    await assert.rejects(opened.store.pull(reference, { policy: "never", platform: missing }), { code: "pull_failed", message: /linux\/s390x/ });
    const single = parseReference(`${host}/multi:arm64`);
    await assert.rejects(opened.store.pull(single, { policy: "always", platform: missing }), { code: "pull_failed", message: /no matching manifest/ });
  });
});

describe("pull policies", () => {
  test("a tag that moved", async () => {
    const old = await push([files("base"), files("old")], { repo: "moving" });
    await using opened = await open();
    const { store } = opened;
    await assert.rejects(store.pull(old.parsed, { policy: "never" }), { code: "pull_failed", message: /pull policy is "never"/ });
    const first = await store.pull(old.parsed, { policy: "newer" });
    assert.equal((await store.pull(old.parsed, { policy: "newer" })).id, first.id);
    const fresh = await push([files("base"), files("new")], { repo: "moving" });
    assert.equal((await store.pull(old.parsed, { policy: "if_not_present" })).id, first.id);
    assert.equal((await store.pull(old.parsed, { policy: "never" })).id, first.id);
    const events: PullStatus[] = [];
    const second = await store.pull(old.parsed, { policy: "newer", onProgress: (event) => events.push(event) });
    assert.equal(second.id, fresh.config.digest);
    assert.deepEqual(second.names, [fresh.reference]);
    assert.deepEqual(store.get(first.id)?.names, [], "the old image stays, untagged");
    assert.ok(
      events.some((event) => event.status === "Already exists"),
      "the base layer is shared",
    );
    assert.equal(store.layerPaths(first).at(-1), store.layerPaths(second).at(-1));
  });

  test("with a registry that is gone, newer keeps the local image and warns, always fails", async () => {
    const server = await startRegistry();
    const image = buildImage({ layers: [writeTar(files("f"))] });
    const { reference } = await pushImage(server.host, "gone", "latest", image);
    await using opened = await open();
    const pulled = await opened.store.pull(parseReference(reference), { policy: "always" });
    await server.close();
    assert.equal((await opened.store.pull(parseReference(reference), { policy: "newer" })).id, pulled.id);
    assert.equal(opened.warnings.length, 1);
    assert.match(opened.warnings[0] ?? "", /keeping the local/);
    await assert.rejects(opened.store.pull(parseReference(reference), { policy: "always" }), { code: "pull_failed" });
  });

  test("a local image whose layer directory is gone is pulled again, and never refuses it", async () => {
    const pushed = await push([files("f")]);
    await using opened = await open();
    const image = await opened.store.pull(pushed.parsed, { policy: "always" });
    rmSync(join(opened.store.layerPaths(image)[0] ?? "", ".."), { recursive: true });
    await assert.rejects(opened.store.pull(pushed.parsed, { policy: "never" }), { code: "pull_failed" });
    await opened.store.pull(pushed.parsed, { policy: "if_not_present" });
    assert.deepEqual(readdirSync(opened.store.layerPaths(image)[0] ?? ""), ["f"]);
  });
});

describe("progress", () => {
  test("Docker's words, per layer and at the end", async () => {
    const pushed = await push([files("a"), files("b")]);
    await using opened = await open();
    const events: PullStatus[] = [];
    const onProgress = (event: PullStatus): void => void events.push(event);
    await opened.store.pull(pushed.parsed, { policy: "always", onProgress });
    for (const layer of pushed.layers) {
      const own = statuses(events, digestHex(layer.digest).slice(0, 12));
      assert.deepEqual([...new Set(own)], ["Pulling fs layer", "Downloading", "Verifying Checksum", "Download complete", "Extracting", "Pull complete"]);
    }
    assert.deepEqual(statuses(events, undefined).slice(-2), [`Digest: ${pushed.manifest.digest}`, `Status: Downloaded newer image for ${pushed.reference}`]);
    const again: PullStatus[] = [];
    await opened.store.pull(pushed.parsed, { policy: "always", onProgress: (event) => again.push(event) });
    assert.deepEqual(
      again.filter((event) => event.id !== undefined).map((event) => event.status),
      ["Already exists", "Already exists"],
    );
    assert.equal(statuses(again, undefined).at(-1), `Status: Image is up to date for ${pushed.reference}`);
  });
});

/** A registry that serves one image and lets a test decide over each blob. */
async function servingOne(layers: readonly Buffer[], onBlob: (index: number, response: ServerResponse, bytes: Buffer, from: number) => void) {
  const diffIds = layers.map((layer) => sha256(layer));
  const blobs = layers.map((layer) => gzipSync(layer, { level: 0 }));
  const config = Buffer.from(JSON.stringify({ os: "linux", architecture: "amd64", config: {}, rootfs: { type: "layers", diff_ids: diffIds } }));
  const describeBytes = (mediaType: string, bytes: Buffer): Descriptor => ({ mediaType, digest: sha256(bytes), size: bytes.length });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: describeBytes(mediaTypes.ociConfig, config),
      layers: blobs.map((blob) => describeBytes(mediaTypes.ociLayerGzip, blob)),
    }),
  );
  const server: HttpServer = await serveHttp((request, response) => {
    const url = request.url ?? "";
    const index = blobs.findIndex((blob) => url.endsWith(sha256(blob)));
    if (url.includes("/manifests/")) {
      response.writeHead(200, { "content-type": mediaTypes.ociManifest, "docker-content-digest": sha256(manifest), "content-length": manifest.length });
      response.end(request.method === "HEAD" ? undefined : manifest);
    } else if (url.endsWith(sha256(config))) response.end(config);
    else if (index >= 0) {
      const bytes = blobs[index] ?? Buffer.alloc(0);
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
      const range = from > 0 ? { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {};
      response.writeHead(from > 0 ? 206 : 200, { "content-length": bytes.length - from, ...range });
      onBlob(index, response, bytes, from);
    } else response.writeHead(url === "/v2/" ? 200 : 404).end();
  });
  const blobRequests = (): number => server.requests.filter((request) => blobs.some((blob) => request.url.endsWith(sha256(blob)))).length;
  return { server, blobs, reference: parseReference(`${server.host}/served`), name: `${server.host}/served`, blobRequests };
}

const whole = (_index: number, response: ServerResponse, bytes: Buffer, from: number): void => void response.end(bytes.subarray(from));
const bigLayer = (name: string): Buffer => writeTar([{ name, data: Buffer.alloc(3_000_000, name) }]);

describe("pulls at the same time", () => {
  test("share one download, and an abort of one does not disturb the others", async () => {
    const release = Promise.withResolvers<void>();
    const { server, reference, blobRequests } = await servingOne([bigLayer("a"), bigLayer("b")], (_index, response, bytes) => {
      response.write(bytes.subarray(0, 1000));
      void release.promise.then(() => response.end(bytes.subarray(1000)));
    });
    await using _server = server;
    await using opened = await open();
    const stop = new AbortController();
    const started = Promise.withResolvers<void>();
    const aborted = opened.store.pull(reference, { policy: "always", signal: stop.signal });
    const others = [1, 2, 3].map(() => opened.store.pull(reference, { policy: "always", onProgress: (e) => e.status === "Downloading" && started.resolve() }));
    await started.promise;
    stop.abort(new Error("not needed any more"));
    await assert.rejects(aborted, /not needed any more/);
    release.resolve();
    const images = await Promise.all(others);
    assert.equal(new Set(images.map((image) => image.id)).size, 1);
    assert.equal(blobRequests(), 2);
  });

  test("the last abort ends the download and keeps what came, for the next pull to go on from", async () => {
    let isSlow = true;
    const { server, reference, blobs } = await servingOne([bigLayer("a")], (_index, response, bytes, from) => {
      if (isSlow) response.write(bytes.subarray(from, 1_500_000));
      else response.end(bytes.subarray(from));
    });
    await using _server = server;
    await using opened = await open();
    const stop = new AbortController();
    const pull = opened.store.pull(reference, { policy: "always", signal: stop.signal });
    pull.catch(() => {});
    const ingest = join(opened.root, "content", "ingest", digestHex(sha256(blobs[0] ?? "")));
    while ((statSync(ingest, { throwIfNoEntry: false })?.size ?? 0) < 500_000) await new Promise(setImmediate);
    stop.abort();
    await assert.rejects(pull, { name: "AbortError" });
    isSlow = false;
    const image = await opened.store.pull(reference, { policy: "always" });
    const range = server.requests.findLast((request) => request.url.includes("/blobs/") && request.headers.range !== undefined)?.headers.range;
    assert.match(range ?? "", /^bytes=\d{6,7}-/);
    assert.equal(statSync(join(opened.store.layerPaths(image)[0] ?? "", "a")).size, 3_000_000);
    assert.equal(opened.store.content.size(sha256(blobs[0] ?? "")), blobs[0]?.length);
  });

  test("in several processes share one download", async () => {
    const { server, name, blobRequests } = await servingOne([bigLayer("a"), bigLayer("b")], whole);
    await using _server = server;
    const root = join(dir, `store-${++count}`);
    const ids = await Promise.all([1, 2, 3].map(() => pullInChild(root, name).result));
    assert.deepEqual(
      ids.map(({ code }) => code),
      [0, 0, 0],
    );
    assert.equal(new Set(ids.map(({ output }) => output)).size, 1);
    assert.equal(blobRequests(), 2);
    await using opened = await open(root);
    assert.equal(opened.store.list().length, 1);
    assert.equal(leftovers(root).length, 2);
  });

  test("different images that share layers", async () => {
    const shared = [files("one"), files("two")];
    const pushed = await Promise.all([1, 2, 3, 4].map((i) => push([...shared, files(`own${i}`)])));
    await using opened = await open();
    const images = await Promise.all(pushed.map(({ parsed }) => opened.store.pull(parsed, { policy: "always" })));
    assert.equal(new Set(images.map((image) => image.id)).size, 4);
    assert.equal(leftovers(opened.root).length, 6);
  });

  test("a store that is closed ends its pulls", async () => {
    const { server, reference } = await servingOne([bigLayer("a")], (_index, response, bytes) => void response.write(bytes.subarray(0, 1000)));
    await using _server = server;
    await using opened = await open();
    const begun = Promise.withResolvers<void>();
    const pull = opened.store.pull(reference, { policy: "always", onProgress: (event) => event.status === "Downloading" && begun.resolve() });
    pull.catch(() => {});
    await begun.promise;
    await opened.store.close();
    await opened.store.close();
    await assert.rejects(pull, { code: "aborted" });
    assert.deepEqual(leftovers(opened.root), []);
  });
});

interface Child {
  readonly kill: () => void;
  readonly result: Promise<{ readonly code: number | null; readonly output: string }>;
}

function pullInChild(root: string, name: string): Child {
  const source = (path: string): string => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
  const script = `
    import { imagesSchema } from ${source("images/image-records.ts")};
    import { openImageStore } from ${source("images/image-store.ts")};
    import { createRegistryClient } from ${source("registry/client.ts")};
    import { parseReference } from ${source("spec/reference.ts")};
    import { openDatabase } from ${source("state/database.ts")};
    const root = ${JSON.stringify(root)};
    const db = await openDatabase(root + "/state/berth.db", [imagesSchema]);
    const registry = createRegistryClient();
    const store = openImageStore({ root, db, registry });
    const image = await store.pull(parseReference(${JSON.stringify(name)}), { policy: "always" });
    process.stdout.write(image.id);
    await store.close();
    registry.close();`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (text: Buffer) => (output += text.toString()));
  return { kill: () => void child.kill("SIGKILL"), result: once(child, "close").then(([code]: (number | null)[]) => ({ code: code ?? null, output })) };
}

describe("a killed pull", () => {
  test("leaves nothing visible, and the next one goes on", async () => {
    let isSlow = true;
    const arrived = Promise.withResolvers<void>();
    const { server, name, reference } = await servingOne([writeTar(files("small")), bigLayer("big")], (index, response, bytes, from) => {
      if (index === 0 || !isSlow) return void response.end(bytes.subarray(from));
      response.write(bytes.subarray(from, 2_000_000), () => arrived.resolve());
    });
    await using _server = server;
    const root = join(dir, `store-${++count}`);
    const child = pullInChild(root, name);
    await arrived.promise;
    // It has unpacked one layer and half of another when their directories are there.
    while (!existsSync(join(root, "snapshots")) || !readdirSync(join(root, "snapshots")).some((entry) => entry.endsWith(".tmp")))
      await new Promise(setImmediate);
    child.kill();
    await child.result;
    assert.ok(leftovers(root).length > 0);
    isSlow = false;
    {
      await using opened = await open(root);
      assert.deepEqual(opened.store.list(), []);
    }
    assert.deepEqual(leftovers(root), [], "opening the store removes what the dead process left");
    await using opened = await open(root);
    const image = await opened.store.pull(reference, { policy: "always" });
    assert.equal(opened.store.layerPaths(image).length, 2);
  });
});

describe("what a registry may send", () => {
  test("a blob with other bytes", async () => {
    const { server, name } = await servingOne([bigLayer("a"), bigLayer("b")], (index, response, bytes) =>
      response.end(index === 0 ? bytes : Buffer.concat([bytes.subarray(0, 2_000_000), Buffer.alloc(bytes.length - 2_000_000, 1)])),
    );
    await using _server = server;
    await refusedPull(name, /cannot pull .*: blob: expected sha256:[0-9a-f]{64} but got sha256:/);
  });

  test("a blob of rubbish: the digest has the word, not the decompression", async () => {
    const { server, name } = await servingOne([bigLayer("a")], (_index, response, bytes) => response.end(Buffer.alloc(bytes.length, 7)));
    await using _server = server;
    await refusedPull(name, /expected sha256:/);
  });

  test("a damaged part of an earlier attempt is thrown away, and the pull succeeds", async () => {
    const { server, reference, blobs } = await servingOne([bigLayer("a")], whole);
    await using _server = server;
    await using opened = await open();
    writeFileSync(join(opened.root, "content", "ingest", digestHex(sha256(blobs[0] ?? ""))), Buffer.alloc(50_000, 3));
    const image = await opened.store.pull(reference, { policy: "always" });
    assert.equal(statSync(join(opened.store.layerPaths(image)[0] ?? "", "a")).size, 3_000_000);
  });

  test("a blob that stops short", async () => {
    const { server, name } = await servingOne([bigLayer("a")], (_index, response, bytes, from) => {
      response.write(bytes.subarray(from, Math.min(1000, bytes.length)), () => response.destroy());
    });
    await using _server = server;
    await refusedPull(name, /cannot pull|blob/);
  });

  test("an unknown tag", () => refusedPull(`${registry.host}/no/such:thing`, /no\/such/));

  const layer = writeTar(files("f"));
  const garbage: Readonly<Record<string, readonly [(host: string, repo: string) => Promise<unknown>, RegExp]>> = {
    "a config that is no JSON": [
      async (host, repo) => {
        const config = await pushBlob(host, repo, Buffer.from("{nonsense"), { mediaType: mediaTypes.ociConfig });
        await pushManifest(host, repo, "latest", { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] });
      },
      /not valid JSON/,
    ],
    "a config without platform": [(host, repo) => pushImage(host, repo, "latest", { layers: [], config: { config: {} } }), /lacks os or architecture/],
    "a config of another system": [(host, repo) => pushImage(host, repo, "latest", buildImage({ layers: [], config: { os: "windows" } })), /made for windows/],
    "fewer diffIDs than layers": [
      (host, repo) =>
        pushImage(host, repo, "latest", { ...buildImage({ layers: [layer] }), config: { os: "linux", architecture: "amd64", rootfs: { diff_ids: [] } } }),
      /1 layers, but the image config names 0/,
    ],
    "a wrong diffID": [
      (host, repo) =>
        pushImage(host, repo, "latest", {
          ...buildImage({ layers: [layer] }),
          config: { os: "linux", architecture: "amd64", rootfs: { diff_ids: [sha256("other")] } },
        }),
      /content of layer sha256:.*: expected sha256:/,
    ],
    "a layer that leaves its directory": [
      (host, repo) => pushImage(host, repo, "latest", buildImage({ layers: [writeTar(files("fine")), writeTar(files("../evil"))] })),
      /malformed layer: entry "\.\.\/evil"/,
    ],
    "a layer that is no tar": [(host, repo) => pushImage(host, repo, "latest", buildImage({ layers: [Buffer.alloc(2000, "no tar")] })), /malformed layer/],
  };
  for (const [name, [make, message]] of Object.entries(garbage)) {
    test(name, async () => {
      const repo = `garbage${++count}`;
      await make(registry.host, repo);
      await refusedPull(`${registry.host}/${repo}`, message);
    });
  }
});

describe("a disk that is too small", () => {
  /** A file system of 24 MB; the image does not fit whichever part comes first. */
  async function onSmallDisk(run: (path: string) => Promise<void>): Promise<void> {
    const [file, path] = [join(dir, `disk-${++count}.img`), join(dir, `disk-${count}`)];
    writeFileSync(file, "");
    truncateSync(file, 24_000_000);
    execFileSync("mkfs.ext4", ["-q", "-F", "-m", "0", file]);
    mkdirSync(path);
    execFileSync("mount", ["-o", "loop", file, path]);
    try {
      await run(path);
    } finally {
      execFileSync("umount", [path]);
    }
  }

  for (const [name, compression] of Object.entries({ download: "none", unpacking: "gzip" } as const)) {
    test(`is told as such during ${name}, and nothing stays`, async () => {
      const pushed = await push([[{ name: "big", data: Buffer.alloc(40_000_000, "abc") }]], { compression });
      await onSmallDisk(async (path) => {
        await using opened = await open(join(path, "root"));
        await assert.rejects(opened.store.pull(pushed.parsed, { policy: "always" }), { code: "pull_failed", message: /no space left.*free some space/ });
        assert.deepEqual(leftovers(opened.root), []);
        assert.deepEqual(opened.store.list(), []);
        const small = await push([files("fits")]);
        await opened.store.pull(small.parsed, { policy: "always" });
      });
    });
  }
});
