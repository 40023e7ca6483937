/** Archives between Berth and skopeo, Podman and dockerd, both ways; archives that mean harm; a disk that is full. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createReadStream, createWriteStream, mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { after, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { imagesSchema } from "../../src/images/image-records.ts";
import { type ImageStore, openImageStore } from "../../src/images/image-store.ts";
import { createRegistryClient } from "../../src/registry/client.ts";
import { sha256 } from "../../src/spec/digest.ts";
import { parseReference } from "../../src/spec/reference.ts";
import { openDatabase } from "../../src/state/database.ts";
import { buildDemoImage } from "../../src/testing/demo-image.ts";
import { type TarFixture, writeTar } from "../../src/testing/tar-writer.ts";
import { startDockerd } from "../support/dockerd.ts";

const dir = mkdtempSync(join(tmpdir(), "berth-archives-"));
after(() => rmSync(dir, { recursive: true, force: true }));
let count = 0;

interface Opened extends AsyncDisposable {
  readonly store: ImageStore;
  readonly root: string;
}

async function open(root = join(dir, `store-${++count}`)): Promise<Opened> {
  const db = await openDatabase(join(root, "state", "berth.db"), [imagesSchema]);
  const client = createRegistryClient({ credentials: async () => undefined });
  const store = openImageStore({ root, db, registry: client });
  return {
    store,
    root,
    [Symbol.asyncDispose]: async () => {
      await store.close();
      client.close();
      db.close();
    },
  };
}

const never = new AbortController().signal;
const load = (store: ImageStore, tar: Uint8Array | AsyncIterable<Uint8Array>): Promise<string[]> => store.load(tar, { signal: never, onStatus: () => {} });
const file = (name: string): string => join(dir, `${++count}-${name}`);

async function saveTo(store: ImageStore, path: string, ...names: string[]): Promise<void> {
  await pipeline(store.save(store.toSave(names), never), createWriteStream(path));
}

/** An image of two layers in a store of its own. */
async function demoStore(): Promise<Opened & { readonly id: string }> {
  const opened = await open();
  const [base = new Uint8Array(), top = new Uint8Array()] = buildDemoImage("configured").layers;
  const image = await opened.store.import(gzipSync(base), { changes: 'CMD ["sh"]\nENV A=1\nLABEL made=here' });
  const { platform, config } = { platform: image.config, config: image.config.config };
  const layer = (async function* one() {
    yield top;
  })();
  const made = await opened.store.create({
    base: image,
    layer,
    platform,
    config,
    history: { createdBy: "top" },
    name: parseReference("local.example/demo:one"),
  });
  return { ...opened, id: made.id };
}

/** What is in the store beside whole images. */
function leftovers(root: string): string[] {
  const inside = (path: string): string[] => readdirSync(join(root, path)).map((name) => `${path}/${name}`);
  const halfLayers = inside("snapshots").filter((path) => /tmp|lock|unnamed/.test(path));
  return [...inside("content/ingest"), ...inside("content/leases"), ...halfLayers];
}

describe("other tools", () => {
  test("skopeo reads both layouts, and Berth what skopeo writes", async () => {
    await using from = await demoStore();
    const ours = file("ours.tar");
    await saveTo(from.store, ours, "local.example/demo:one");
    const [docker, oci] = [file("skopeo-docker.tar"), file("skopeo-oci.tar")];
    skopeo("copy", `docker-archive:${ours}:local.example/demo:one`, `docker-archive:${docker}:local.example/from-skopeo:1`);
    skopeo("copy", `oci-archive:${ours}:one`, `oci-archive:${oci}:local.example/from-skopeo:2`);
    await using to = await open();
    assert.deepEqual(await load(to.store, createReadStream(docker)), ["local.example/from-skopeo:1"]);
    assert.deepEqual(await load(to.store, createReadStream(oci)), ["local.example/from-skopeo:2"]);
    const names = ["local.example/from-skopeo:1", "local.example/from-skopeo:2"];
    assert.deepEqual(
      names.map((name) => to.store.mustFind(name).id),
      [from.id, from.id],
    );
    assert.deepEqual(leftovers(to.root), []);
  });

  test("Podman loads what Berth saves, and Berth what Podman saves", async () => {
    await using from = await demoStore();
    const ours = file("ours.tar");
    await saveTo(from.store, ours, "local.example/demo:one");
    const podman = (...args: string[]): string =>
      execFileSync("podman", ["--root", join(dir, "podman"), "--runroot", join(dir, "podman-run"), "--storage-driver", "vfs", ...args], {
        stdio: ["ignore", "pipe", "pipe"],
      }).toString();
    assert.match(podman("load", "-i", ours), /local\.example\/demo:one/);
    assert.equal(podman("image", "inspect", "--format", "{{.Id}}", "local.example/demo:one").trim(), from.id.slice("sha256:".length));
    for (const format of ["docker-archive", "oci-archive"]) {
      const theirs = file(`podman-${format}.tar`);
      podman("save", "--format", format, "-o", theirs, "local.example/demo:one");
      await using to = await open();
      const loaded = await load(to.store, createReadStream(theirs));
      assert.deepEqual(loaded, ["local.example/demo:one"], format);
      assert.deepEqual(to.store.mustFind("local.example/demo:one").config.config.env, ["A=1"]);
    }
  });

  test("dockerd loads what Berth saves, and Berth what dockerd saves", async () => {
    await using from = await demoStore();
    const ours = file("ours.tar");
    await saveTo(from.store, ours, "local.example/demo:one");
    const dockerd = await startDockerd();
    try {
      assert.match(await text(await call(dockerd.socket, "POST", "/images/load?quiet=1", createReadStream(ours))), /Loaded image: local\.example\/demo:one/);
      const inspected = JSON.parse(await text(await call(dockerd.socket, "GET", "/images/local.example/demo:one/json"))) as { Id: string };
      assert.equal(inspected.Id, from.id);
      const theirs = file("dockerd.tar");
      await pipeline(await call(dockerd.socket, "GET", "/images/get?names=local.example%2Fdemo%3Aone"), createWriteStream(theirs));
      await using to = await open();
      assert.deepEqual(await load(to.store, createReadStream(theirs)), ["local.example/demo:one"]);
      assert.equal(to.store.mustFind("local.example/demo:one").id, from.id);
      assert.deepEqual(leftovers(to.root), []);
    } finally {
      await dockerd.stop();
    }
  });
});

/** An archive by hand, in the layout of `docker save`. */
function byHand(change: (parts: { config: object; layer: Uint8Array; entries: TarFixture[] }) => void = () => {}): Uint8Array {
  const layer = writeTar([{ name: "f", data: "content" }]);
  const config = { os: "linux", architecture: "amd64", config: {}, rootfs: { type: "layers", diff_ids: [sha256(layer)] } };
  const parts = { config, layer, entries: [] as TarFixture[] };
  change(parts);
  const document = JSON.stringify(parts.config);
  const name = `${sha256(document).slice("sha256:".length)}.json`;
  return writeTar([
    { name: "manifest.json", data: JSON.stringify([{ Config: name, RepoTags: ["by-hand:1"], Layers: ["l/layer.tar"] }]) },
    { name, data: document },
    { name: "l/layer.tar", data: parts.layer },
    ...parts.entries,
  ]);
}

const wrongConfigName = (): Uint8Array => {
  const layer = writeTar([{ name: "f", data: "content" }]);
  const config = JSON.stringify({ os: "linux", architecture: "amd64", config: {}, rootfs: { type: "layers", diff_ids: [sha256(layer)] } });
  const name = `${"0".repeat(64)}.json`;
  return writeTar([
    { name: "manifest.json", data: JSON.stringify([{ Config: name, RepoTags: ["by-hand:1"], Layers: ["l"] }]) },
    { name, data: config },
    { name: "l", data: layer },
  ]);
};

describe("archives that mean harm", () => {
  const hostile: Readonly<Record<string, () => Uint8Array>> = {
    "a layer of another digest": () => byHand((parts) => void (parts.layer = writeTar([{ name: "f", data: "another" }]))),
    "a config of another digest": wrongConfigName,
    "a layer that leads out": () => byHand((parts) => void (parts.layer = writeTar([{ name: "../../evil", data: "x" }]))),
    "an entry that leads out": () => byHand((parts) => void parts.entries.push({ name: "../evil", data: "x" })),
    "an absolute entry": () => byHand((parts) => void parts.entries.push({ name: "/etc/evil", data: "x" })),
    "an entry twice": () => byHand((parts) => void parts.entries.push({ name: "manifest.json", data: "[]" })),
    "a device": () => byHand((parts) => void parts.entries.push({ name: "dev", type: "character", devMajor: 1, devMinor: 3 })),
    "a document that is too large": () => byHand((parts) => void parts.entries.push({ name: "huge.json", data: Buffer.alloc(9_000_000, "[") })),
    "an image for another system": () => byHand((parts) => void (parts.config = { ...parts.config, os: "windows" })),
    "a layer too few": () => byHand((parts) => void (parts.config = { ...parts.config, rootfs: { diff_ids: [] } })),
    "links in a circle": () =>
      writeTar([
        { name: "manifest.json", linkName: "index.json" },
        { name: "index.json", linkName: "manifest.json" },
      ]),
    "a link out of it": () => writeTar([{ name: "manifest.json", linkName: "../../../etc/passwd" }]),
    "names no image may have": () => writeTar([{ name: "manifest.json", data: JSON.stringify([{ Config: "x", RepoTags: ["UPPER"], Layers: [] }]) }]),
  };
  for (const [what, build] of Object.entries(hostile)) {
    test(`${what}: refused, and nothing of it stays`, async () => {
      await using opened = await open();
      await assert.rejects(load(opened.store, build()), { code: "invalid_spec", message: /cannot load the archive|invalid image reference/ });
      assert.deepEqual(opened.store.list(), []);
      assert.deepEqual([...leftovers(opened.root), ...readdirSync(join(opened.root, "content/blobs/sha256"))], []);
    });
  }

  test("a blob of an OCI layout that is not what its name says is refused, also when the store has the right one", async () => {
    await using from = await demoStore();
    const ours = file("ours.tar");
    await saveTo(from.store, ours, "local.example/demo:one");
    const unpacked = file("unpacked");
    mkdirSync(unpacked);
    execFileSync("tar", ["xf", ours, "-C", unpacked]);
    const blobs = join(unpacked, "blobs/sha256");
    const layer =
      readdirSync(blobs).find(
        (name) =>
          execFileSync("stat", ["-c", "%s", join(blobs, name)])
            .toString()
            .trim().length > 5,
      ) ?? "";
    writeFileSync(join(blobs, layer), gzipSync(writeTar([{ name: "evil", data: randomBytes(2000) }])));
    const changed = file("changed.tar");
    execFileSync("tar", ["cf", changed, "-C", unpacked, "."]);
    for (const opened of [await open(), from]) {
      const before = opened.store.list().length;
      await assert.rejects(load(opened.store, createReadStream(changed)), { code: "invalid_spec" });
      assert.equal(opened.store.list().length, before);
      assert.deepEqual(leftovers(opened.root), []);
      if (opened !== from) await opened[Symbol.asyncDispose]();
    }
  });

  test("the well-formed one is loaded", async () => {
    await using opened = await open();
    assert.deepEqual(await load(opened.store, byHand()), ["docker.io/library/by-hand:1"]);
  });
});

describe("a disk that is too small", () => {
  test("is told as such by load and import; nothing stays, and what was there can be removed", async () => {
    await using from = await open();
    const big = writeTar([{ name: "big", data: randomBytes(30_000_000) }]);
    await from.store.import(big, { name: parseReference("local.example/big:1") });
    const archive = file("big.tar");
    await saveTo(from.store, archive, "local.example/big:1");
    const [disk, path] = [file("disk.img"), file("disk")];
    writeFileSync(disk, "");
    truncateSync(disk, 40_000_000);
    execFileSync("mkfs.ext4", ["-q", "-F", "-m", "0", disk]);
    mkdirSync(path);
    execFileSync("mount", ["-o", "loop", disk, path]);
    try {
      await using opened = await open(join(path, "root"));
      await opened.store.import(writeTar([{ name: "small", data: "1" }]), { name: parseReference("local.example/small:1") });
      const full = { code: "internal", message: /no space left.*free some space/ };
      await assert.rejects(load(opened.store, createReadStream(archive)), full);
      await assert.rejects(opened.store.import(big, { name: parseReference("local.example/big:1") }), full);
      assert.deepEqual(
        opened.store.list().flatMap((image) => image.names),
        ["local.example/small:1"],
      );
      assert.deepEqual(leftovers(opened.root), []);
      await opened.store.prune({});
      const removed = await opened.store.remove("local.example/small:1", false);
      assert.ok(removed.freedBytes > 0);
      assert.deepEqual(readdirSync(join(opened.root, "content/blobs/sha256")), []);
    } finally {
      execFileSync("umount", [path]);
    }
  });
});

function skopeo(...args: string[]): void {
  execFileSync("skopeo", ["--insecure-policy", ...args], { stdio: ["ignore", "ignore", "pipe"] });
}

function call(socketPath: string, method: string, path: string, body?: Readable): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const out = request({ socketPath, method, path, agent: false, headers: body === undefined ? {} : { "content-type": "application/x-tar" } }, resolve).once(
      "error",
      reject,
    );
    if (body === undefined) out.end();
    else body.pipe(out);
  });
}

async function text(response: IncomingMessage): Promise<string> {
  const chunks = await Array.fromAsync(response as AsyncIterable<Buffer>);
  assert.ok((response.statusCode ?? 0) < 400, Buffer.concat(chunks).toString());
  return Buffer.concat(chunks).toString();
}
