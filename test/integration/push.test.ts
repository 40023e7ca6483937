/** Push, search and resolve against a real registry, and against one that breaks off. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { imagesSchema } from "../../src/images/image-records.ts";
import { type ImageStore, openImageStore } from "../../src/images/image-store.ts";
import { createRegistryClient } from "../../src/registry/client.ts";
import { parseReference } from "../../src/spec/reference.ts";
import { openDatabase } from "../../src/state/database.ts";
import { buildDemoImage } from "../../src/testing/demo-image.ts";
import { writeTar } from "../../src/testing/tar-writer.ts";
import { buildImage, pushImage, pushIndex } from "../support/push.ts";
import { type RegistryServer, startRegistry } from "../support/registry-server.ts";

const dir = mkdtempSync(join(tmpdir(), "berth-push-"));
let registry: RegistryServer;
let guarded: RegistryServer;
const account = { username: "alice", password: "correct-horse-4711" };
let count = 0;

interface Opened extends AsyncDisposable {
  readonly store: ImageStore;
}

async function open(): Promise<Opened> {
  const root = join(dir, String(++count));
  const db = await openDatabase(join(root, "state", "berth.db"), [imagesSchema]);
  const client = createRegistryClient({ credentials: async () => undefined });
  const store = openImageStore({ root, db, registry: client });
  return {
    store,
    [Symbol.asyncDispose]: async () => {
      await store.close();
      client.close();
      db.close();
    },
  };
}

before(async () => {
  [registry, guarded] = await Promise.all([startRegistry(), startRegistry({ auth: account })]);
});
after(async () => {
  await Promise.all([registry.close(), guarded.close()]);
  rmSync(dir, { recursive: true, force: true });
});

async function push(store: ImageStore, name: string, auth?: typeof account): Promise<{ readonly digest: string; readonly said: readonly string[] }> {
  const said: string[] = [];
  const say = ({ id, status }: { id?: string | undefined; status: string }): void => void said.push(id === undefined ? status : `${id}: ${status}`);
  const digest = await store.push(parseReference(name), { auth, say, signal: new AbortController().signal });
  return { digest, said };
}

const demo = buildImage(buildDemoImage("plain"));
const pull = { policy: "always" } as const;

describe("push", () => {
  test("a pulled image keeps its digest at another registry, and a second push sends nothing", async () => {
    await using from = await open();
    const source = await pushImage(registry.host, "source", "1", demo);
    await from.store.pull(parseReference(source.reference), pull);
    const other = await startRegistry();
    try {
      const target = `${other.host}/some/target:v1`;
      from.store.tag(source.reference, parseReference(target));
      const first = await push(from.store, target);
      assert.equal(first.digest, source.manifest.digest);
      assert.equal(first.said.filter((line) => line.endsWith(": Pushed")).length, 2, first.said.join("\n"));
      assert.match(first.said.at(-1) ?? "", /^v1: digest: sha256:[0-9a-f]{64} size: \d+$/);
      const second = await push(from.store, target);
      assert.equal(second.said.filter((line) => line.endsWith(": Layer already exists")).length, 2);
      await using to = await open();
      const pulled = await to.store.pull(parseReference(target), pull);
      assert.equal(pulled.manifestDigest, source.manifest.digest);
      assert.ok(from.store.mustFind(target).repoDigests.includes(`${other.host}/some/target@${source.manifest.digest}`));
    } finally {
      await other.close();
    }
  });

  test("layers another repository of the registry has are mounted from there", async () => {
    await using opened = await open();
    const source = await pushImage(registry.host, "mount/source", "1", buildImage(buildDemoImage("plain", { stamp: "mount" })));
    await opened.store.pull(parseReference(source.reference), pull);
    const target = `${registry.host}/mount/target:1`;
    opened.store.tag(source.reference, parseReference(target));
    const { said } = await push(opened.store, target);
    assert.ok(
      said.some((line) => line.endsWith(": Mounted from mount/source")),
      said.join("\n"),
    );
  });

  test("an image that was imported, with a layer too large for one request, comes back the same", async () => {
    await using opened = await open();
    const tar = writeTar([{ name: "data", data: randomBytes(9_000_000) }]);
    const name = `${registry.host}/imported:1`;
    const image = await opened.store.import(tar, { name: parseReference(name), changes: 'CMD ["x"]' });
    const { digest, said } = await push(opened.store, name);
    assert.ok(
      said.some((line) => line.includes(": Pushing")),
      said.join("\n"),
    );
    await using other = await open();
    const pulled = await other.store.pull(parseReference(name), pull);
    assert.equal(pulled.id, image.id);
    assert.equal(pulled.manifestDigest, digest);
  });

  test("an index is pushed whole when all its images are here, else the image of this machine", async () => {
    const [amd, arm] = [buildImage(buildDemoImage("plain")), buildImage(buildDemoImage("plain", { architecture: "s390x" }))];
    const one = await pushImage(registry.host, "index/source", "amd", amd);
    const two = await pushImage(registry.host, "index/source", "other", arm);
    const architecture = process.arch === "x64" ? "amd64" : process.arch;
    const manifests = [
      { ...one.manifest, platform: { os: "linux", architecture } },
      { ...two.manifest, platform: { os: "linux", architecture: "s390x" } },
    ];
    const index = await pushIndex(registry.host, "index/source", "1", { manifests });
    const other = await startRegistry();
    try {
      await using opened = await open();
      const [source, target] = [`${registry.host}/index/source:1`, `${other.host}/index/target:1`];
      await opened.store.pull(parseReference(source), pull);
      const alone = await push(opened.store, await tagged(opened.store, source, target));
      assert.equal(alone.digest, one.manifest.digest);
      await opened.store.pull(parseReference(source), { ...pull, platform: { os: "linux", architecture: "s390x" } });
      await opened.store.pull(parseReference(source), pull);
      const resolved = await opened.store.resolve(parseReference(source), {});
      assert.deepEqual(
        resolved.platforms.map((platform) => platform.architecture),
        [architecture, "s390x"],
      );
      // A push under the name the index came by: what that name means is the index.
      assert.equal((await push(opened.store, source)).digest, resolved.descriptor.digest);
      assert.ok(index !== undefined);
    } finally {
      await other.close();
    }
  });

  test("a registry that wants an account gets it; the wrong one is refused, and no error holds the password", async () => {
    await using opened = await open();
    const name = `${guarded.host}/private/push:1`;
    await opened.store.import(writeTar([{ name: "x", data: "1" }]), { name: parseReference(name) });
    const wrong = { username: "alice", password: "a-wrong-secret-4711" };
    for (const auth of [undefined, wrong]) {
      await assert.rejects(push(opened.store, name, auth), (error: Error & { code?: string }) => {
        assert.equal(error.code, "internal");
        assert.match(error.message, /cannot push .*denied/);
        assert.ok(!`${error.message} ${error.stack} ${String(error.cause)}`.includes(wrong.password));
        return true;
      });
    }
    await push(opened.store, name, account);
    assert.equal((await opened.store.resolve(parseReference(name), { auth: account })).platforms.length, 1);
  });

  test("nobody at that address is a network error", async () => {
    await using opened = await open();
    const name = "127.0.0.1:1/nobody:1";
    await opened.store.import(writeTar([{ name: "x", data: "1" }]), { name: parseReference(name) });
    await assert.rejects(push(opened.store, name), { code: "network", message: /cannot push 127\.0\.0\.1:1\/nobody:1/ });
  });

  test("an upload that breaks off goes on where it was", async () => {
    await using opened = await open();
    const tar = writeTar([{ name: "data", data: randomBytes(12_000_000) }]);
    await using proxy = await breakingProxy(registry.host, 5_000_000);
    const name = `${proxy.host}/broken:1`;
    const image = await opened.store.import(tar, { name: parseReference(name) });
    await push(opened.store, name);
    assert.ok(proxy.broken() > 0, "a connection was broken");
    await using other = await open();
    assert.equal((await other.store.pull(parseReference(`${registry.host}/broken:1`), pull)).id, image.id);
  });
});

describe("search", () => {
  test("the terms and the limit reach the registry; filters are applied", async () => {
    const asked: string[] = [];
    const server = await listen((request, response) => {
      asked.push(request.url ?? "");
      const results = [
        { name: "one", description: "first", star_count: 5, is_official: true, is_automated: false },
        { name: "two", description: "second", star_count: 50, is_official: false, is_automated: true },
      ];
      response.setHeader("content-type", "application/json").end(JSON.stringify({ results }));
    });
    await using opened = await open();
    try {
      const host = hostOf(server);
      const all = await opened.store.search(`${host}/web server`, { limit: 10 });
      assert.deepEqual(asked, ["/v1/search?q=web+server&n=10"]);
      assert.deepEqual(all[0], { name: "one", description: "first", starCount: 5, official: true, automated: false });
      assert.deepEqual(
        (await opened.store.search(`${host}/x`, { limit: 0, isOfficial: true })).map((hit) => hit.name),
        ["one"],
      );
      assert.deepEqual(
        (await opened.store.search(`${host}/x`, { limit: 0, minStars: 10 })).map((hit) => hit.name),
        ["two"],
      );
      assert.equal((await opened.store.search(`${host}/x`, { limit: 1 })).length, 1);
      await assert.rejects(opened.store.search(" ", { limit: 1 }), { code: "invalid_spec" });
      await assert.rejects(opened.store.search(`${host}/`, { limit: 1 }), { code: "invalid_spec" });
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  test("a registry without search is unsupported, nobody there a network error", async () => {
    await using opened = await open();
    await assert.rejects(opened.store.search(`${registry.host}/x`, { limit: 1 }), { code: "unsupported" });
    await assert.rejects(opened.store.search("127.0.0.1:1/x", { limit: 1 }), { code: "network" });
  });
});

async function tagged(store: ImageStore, source: string, target: string): Promise<string> {
  store.tag(source, parseReference(target));
  return target;
}

function listen(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server> {
  const server = createServer(handler);
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

function hostOf(server: Server): string {
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Passes requests on to a registry, and breaks the first upload after so many bytes. */
async function breakingProxy(host: string, afterBytes: number): Promise<AsyncDisposable & { readonly host: string; broken(): number }> {
  let broken = 0;
  const server = await listen((request, response) => {
    void forward(request, response).catch(() => response.destroy());
  });
  const forward = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const pieces: Buffer[] = [];
    let length = 0;
    const breaks = request.method === "PATCH" && broken === 0;
    for await (const piece of request as AsyncIterable<Buffer>) {
      pieces.push(piece);
      length += piece.length;
      if (breaks && length >= afterBytes) break;
    }
    const headers = new Headers();
    for (const name of ["content-type", "accept", "authorization", "range"]) {
      const value = request.headers[name];
      if (typeof value === "string") headers.set(name, value);
    }
    if (breaks) headers.set("content-range", `0-${length - 1}`);
    else if (request.headers["content-range"] !== undefined) headers.set("content-range", request.headers["content-range"]);
    const hasBody = !["GET", "HEAD"].includes(request.method ?? "");
    const answer = await fetch(`http://${host}${request.url}`, {
      method: request.method ?? "GET",
      headers,
      ...(hasBody ? { body: Buffer.concat(pieces) } : {}),
      redirect: "manual",
    });
    if (breaks) {
      broken++;
      request.socket.destroy();
      return;
    }
    for (const [name, value] of answer.headers) {
      if (!["connection", "transfer-encoding", "keep-alive"].includes(name))
        response.setHeader(name, name === "location" ? value.replace(host, hostOf(server)) : value);
    }
    response.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()));
  };
  return {
    host: hostOf(server),
    broken: () => broken,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
