/** Volumes in a real S3 server: what is stored, what is restored, and what happens when something goes wrong on the way. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { openRuntime, type Runtime, standaloneId } from "../../src/index.ts";
import { openDatabase } from "../../src/state/database.ts";
import { volumeSyncSchema } from "../../src/volume-sync/records.ts";
import type { SyncSettings } from "../../src/volume-sync/settings.ts";
import { VolumeSync } from "../../src/volume-sync/volume-sync.ts";
import { pushDemoImage } from "../support/demo.ts";
import { startRegistry } from "../support/registry-server.ts";
import { account, type S3Server, startS3 } from "../support/s3-server.ts";

const partBytes = 5 * 1024 * 1024;
const base = mkdtempSync(join(tmpdir(), "berth-sync-"));
let server: S3Server;
let count = 0;

before(async () => {
  server = await startS3();
});
after(async () => {
  await server.close();
  rmSync(base, { recursive: true, force: true });
});
beforeEach(() => {
  server.requests.length = 0;
  server.breakAfterParts(undefined);
});

/** Engines share nothing but the store. */
async function engine(o: Partial<SyncSettings> = {}): Promise<VolumeSync & AsyncDisposable> {
  const root = join(base, `engine-${++count}`);
  mkdirSync(join(root, "locks"), { recursive: true });
  const db = await openDatabase(join(root, "berth.db"), [volumeSyncSchema]);
  const settings = { bucket: server.bucket, region: "us-east-1", endpoint: server.endpoint, pathStyle: true, account, prefix: "layers/", partBytes, ...o };
  const sync = new VolumeSync({ settings, db, staging: join(root, "sync"), locks: join(root, "locks") });
  const close = async (): Promise<void> => {
    await sync.close();
    db.close();
  };
  return Object.assign(sync, { [Symbol.asyncDispose]: close, root });
}

function directory(): string {
  const path = join(base, `files-${++count}`);
  mkdirSync(path);
  return path;
}

const newKey = (): string => `web_data${++count}`;

/** Everything a user notices about files. */
function described(path: string): unknown[] {
  const names = readdirSync(path, { recursive: true, encoding: "utf8" }).sort();
  return [".", ...names].map((name) => {
    const { mode, uid, gid, size, mtimeMs, nlink } = lstatSync(join(path, name));
    const isDirectory = (mode & 0o170000) === 0o040000;
    return [name, mode, uid, gid, isDirectory ? 0 : size, Math.floor(mtimeMs / 1000), isDirectory ? 0 : nlink];
  });
}

function furnish(path: string): void {
  mkdirSync(join(path, "sub"), { mode: 0o750 });
  writeFileSync(join(path, "plain.txt"), "content\n");
  writeFileSync(join(path, "sub/script"), "#!/bin/sh\n", { mode: 0o755 });
  chownSync(join(path, "sub/script"), 1000, 29);
  chmodSync(join(path, "sub/script"), 0o4755);
  linkSync(join(path, "plain.txt"), join(path, "second-name"));
  symlinkSync("/etc/passwd", join(path, "absolute"));
  symlinkSync("sub/script", join(path, "relative"));
  utimesSync(join(path, "plain.txt"), 1_700_000_000, 1_700_000_000);
  chownSync(path, 33, 33);
  chmodSync(path, 0o770);
}

describe("a volume in the store", () => {
  test("is a tar.zst named by the digest of its tar, with its facts beside it; other tools read it", async () => {
    await using one = await engine();
    const files = directory();
    furnish(files);
    const { digest, uploaded } = await one.sync(newKey(), "data", files);
    assert.equal(uploaded, true);
    const stored = server.files();
    const archive = stored.find((name) => name.includes(`${digest}.tar.zst`) && name.endsWith("object"));
    assert.ok(archive !== undefined, stored.join("\n"));
    assert.ok(stored.some((name) => name.includes(`layers/${digest}.json`)));
    const path = execFileSync("sh", ["-c", `find ${tmpdir()}/berth-s3-* -path '*${digest}.tar.zst*object'`], { encoding: "utf8" }).trim();
    const tar = execFileSync("zstd", ["-dc", path], { maxBuffer: 1 << 26 });
    assert.equal(execFileSync("sha256sum", { input: tar, encoding: "utf8" }).slice(0, 64), digest);
    assert.deepEqual(
      execFileSync("tar", ["-tf", "-"], { input: tar, encoding: "utf8" }).trim().split("\n").sort(),
      ["./", "./absolute", "./plain.txt", "./relative", "./second-name", "./sub/", "./sub/script"].sort(),
    );
  });

  test("is uploaded again only when it changed, and equal content is one object", async () => {
    await using one = await engine();
    const [key, files] = [newKey(), directory()];
    writeFileSync(join(files, "a"), "1");
    await one.sync(key, "data", files);
    server.requests.length = 0;
    assert.equal((await one.sync(key, "data", files)).uploaded, false);
    assert.deepEqual(server.requests, [], "nothing is asked of the store for what did not change");
    writeFileSync(join(files, "a"), "2");
    assert.equal((await one.sync(key, "data", files)).uploaded, true);
    assert.equal((await one.sync(newKey(), "data", files)).uploaded, false);
    assert.equal(
      existsSync(join((one as unknown as { root: string }).root, "sync")) && readdirSync(join((one as unknown as { root: string }).root, "sync")).length,
      0,
    );
  });

  test("comes back whole on another engine: names, owners, modes, links, times", async () => {
    await using one = await engine();
    await using two = await engine();
    const [key, files, restored] = [newKey(), directory(), directory()];
    furnish(files);
    await one.sync(key, "data", files);
    assert.equal(await two.restore(key, "data", restored), true);
    assert.deepEqual(described(restored), described(files));
    assert.equal(readFileSync(join(restored, "second-name"), "utf8"), "content\n");
    server.requests.length = 0;
    assert.equal((await two.sync(key, "data", restored)).uploaded, false);
    assert.deepEqual(server.requests, []);
  });

  test("that nobody stored is not restored", async () => {
    await using one = await engine();
    const files = directory();
    assert.equal(await one.restore(newKey(), "data", files), false);
    assert.deepEqual(readdirSync(files), []);
  });

  test("is not overwritten by who has not seen the newest one", async () => {
    await using one = await engine();
    await using two = await engine();
    const [key, files, copy] = [newKey(), directory(), directory()];
    writeFileSync(join(files, "a"), "first");
    await one.sync(key, "data", files);
    await two.restore(key, "data", copy);
    writeFileSync(join(files, "a"), "of one");
    await one.sync(key, "data", files);
    writeFileSync(join(copy, "a"), "of two");
    await assert.rejects(two.sync(key, "data", copy), { code: "conflict", message: /newer/ });
    await using three = await engine();
    const seen = directory();
    await three.restore(key, "data", seen);
    assert.equal(readFileSync(join(seen, "a"), "utf8"), "of one");
  });

  test("that is damaged there is refused", async () => {
    await using one = await engine();
    await using two = await engine();
    const [key, files] = [newKey(), directory()];
    writeFileSync(join(files, "a"), "right");
    const { digest } = await one.sync(key, "data", files);
    const path = execFileSync("sh", ["-c", `find ${tmpdir()}/berth-s3-* -path '*${digest}.tar.zst*object'`], { encoding: "utf8" }).trim();
    writeFileSync(path, execFileSync("zstd", ["-c"], { input: Buffer.alloc(10_240) }));
    await assert.rejects(two.restore(key, "data", directory()), { code: "internal", message: /damaged/ });
  });
});

describe("a large volume", () => {
  test("goes in parts, four at a time, and goes on where it broke off", async () => {
    await using one = await engine();
    const [key, files] = [newKey(), directory()];
    writeFileSync(join(files, "noise"), randomBytes(7 * partBytes));
    server.breakAfterParts(3);
    await assert.rejects(one.sync(key, "data", files), (error: Error) => /cannot be reached/.test(error.message));
    const kept = one.records.get(key)?.pending?.parts.length ?? 0;
    assert.ok(kept >= 1 && kept <= 3, `${kept} parts are known`);
    assert.equal(one.records.get(key)?.digest, undefined);
    server.breakAfterParts(undefined);
    server.requests.length = 0;
    const { digest } = await one.sync(key, "data", files);
    const sent = server.requests.filter(({ method, url }) => method === "PUT" && /partNumber=/.test(url)).length;
    assert.equal(sent, 8 - kept, "parts that arrived are not sent again");
    assert.equal(one.records.get(key)?.pending, undefined);
    await using two = await engine();
    const restored = directory();
    await two.restore(key, "data", restored);
    assert.equal((await two.sync(key, "data", restored)).digest, digest);
  });

  test("that changed before the upload went on begins anew", async () => {
    await using one = await engine();
    const [key, files] = [newKey(), directory()];
    writeFileSync(join(files, "noise"), randomBytes(3 * partBytes));
    server.breakAfterParts(1);
    await assert.rejects(one.sync(key, "data", files));
    server.breakAfterParts(undefined);
    writeFileSync(join(files, "noise"), randomBytes(3 * partBytes));
    server.requests.length = 0;
    await one.sync(key, "data", files);
    assert.ok(
      server.requests.some(({ method, url }) => method === "DELETE" && /uploadId=/.test(url)),
      "the old upload is given up",
    );
    assert.equal(one.records.get(key)?.pending, undefined);
  });
});

describe("access to the store", () => {
  test("with wrong keys fails, and the error holds none of them", async () => {
    await using one = await engine({ account: { accessKeyId: "S3RVER", secretAccessKey: "wrong-secret-4711" } });
    const files = directory();
    await assert.rejects(one.sync(newKey(), "data", files), (error: Error) => {
      assert.match(error.message, /refuses the access keys/);
      assert.ok(!JSON.stringify([error.message, error.stack, String(error.cause)]).includes("wrong-secret-4711"));
      return true;
    });
  });

  test("with a session token signs it", async () => {
    await using one = await engine({ account: { ...account, sessionToken: "token-of-a-session" } });
    await one.sync(newKey(), "data", directory());
    for (const { headers } of server.requests) {
      assert.equal(headers["x-amz-security-token"], "token-of-a-session");
      assert.match(headers.authorization ?? "", /SignedHeaders=[^,]*x-amz-security-token/);
    }
  });

  test("to a store that is not there says so", async () => {
    await using one = await engine({ endpoint: "http://127.0.0.1:9" });
    await assert.rejects(one.sync(newKey(), "data", directory()), /cannot be reached .*BERTH_S3_ENDPOINT/);
  });
});

describe("containers and the store", () => {
  test("method 21 brings a container's named volumes there, and their first use elsewhere brings them back", async () => {
    const registry = await startRegistry();
    const set = { BUCKET: server.bucket, ENDPOINT: server.endpoint, ACCESS_KEY_ID: account.accessKeyId, SECRET_ACCESS_KEY: account.secretAccessKey };
    for (const [name, value] of Object.entries(set)) process.env[`BERTH_S3_${name}`] = value;
    try {
      const image = await pushDemoImage(registry.host);
      const id = standaloneId("keeper");
      const sh = (script: string) => ({
        image,
        command: { entrypoint: ["sh", "-c", script] },
        networkMode: "none" as const,
        storage: [
          { type: "named" as const, name: "kept", target: "/data" },
          { type: "anonymous" as const, target: "/scratch" },
        ],
      });
      const run = async (runtime: Runtime, script: string): Promise<string> => {
        await runtime.pullImage(image);
        await runtime.createContainer(id, sh(script));
        await runtime.startContainer(id);
        assert.equal(await runtime.waitContainer(id), 0);
        return (await runtime.getLogs(id)).map(({ message }) => message).join("\n");
      };
      const open = (name: string): Promise<Runtime> => openRuntime({ backend: "native", root: join(base, name), runDir: join(base, name, "run") });
      {
        await using first = await open("first");
        await run(first, "echo precious > /data/file; chown alice /data/file");
        await first.syncContainerVolumes(id);
        assert.deepEqual(await first.extras?.volumes?.sync?.(["kept"]), [{ name: "kept", key: "standalone-keeper_kept", uploaded: false }]);
        await first.removeContainer(id);
      }
      await using second = await open("second");
      assert.equal(await run(second, "cat /data/file; stat -c %U /data/file"), "precious\nalice");
      await second.removeContainer(id);
      await assert.rejects(second.extras?.volumes?.sync?.(["nobody"]) ?? Promise.resolve(), { code: "not_found" });
    } finally {
      for (const name of Object.keys(set)) delete process.env[`BERTH_S3_${name}`];
      await registry.close();
    }
  });
});
