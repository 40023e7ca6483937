/** The ways to an engine: TLS, ssh, contexts; and what of a thousand abandoned streams and five hundred open ones stays. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { getEventListeners } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpsServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { buildSync } from "esbuild";
import { EngineClient } from "../../src/docker-api/engine-client.ts";
import { parseEndpoint } from "../../src/docker-api/endpoint.ts";
import { findEndpoints } from "../../src/docker-api/find-endpoint.ts";
import { frameHeader } from "../../src/docker-api/multiplexed-stream.ts";
import { openDockerRuntime } from "../../src/runtimes/docker/open.ts";
import { containerId } from "../../src/spec/container-id.ts";
import { makeCertificates } from "../support/certificates.ts";
import { answerLookup, fakeInfo, sendJson, startFakeEngine, switchingProtocols } from "../support/fake-engine.ts";

const dir = mkdtempSync(join(tmpdir(), "berth-ways-"));
after(() => rmSync(dir, { recursive: true, force: true }));

describe("TLS", () => {
  let port = 0;
  const server = { close: async (): Promise<void> => {} };

  before(async () => {
    makeCertificates(dir);
    const read = (name: string): Buffer => readFileSync(join(dir, name));
    const tls = createHttpsServer(
      { cert: read("server.pem"), key: read("server.key"), ca: read("ca.pem"), requestCert: true, rejectUnauthorized: true },
      (request, response) => {
        response.setHeader("api-version", "1.41");
        if (request.url?.endsWith("/info") === true) sendJson(response, fakeInfo);
        else response.end("[]");
      },
    );
    tls.on("tlsClientError", () => {});
    await new Promise<void>((resolve) => tls.listen(0, "127.0.0.1", resolve));
    const address = tls.address();
    port = typeof address === "object" && address !== null ? address.port : 0;
    server.close = async () => {
      tls.closeAllConnections();
      await new Promise((resolve) => tls.close(resolve));
    };
  });
  after(() => server.close());

  function certificates(name: string, files: Readonly<Record<string, string>>): string {
    const path = join(dir, name);
    mkdirSync(path, { recursive: true });
    for (const [target, source] of Object.entries(files)) writeFileSync(join(path, target), readFileSync(join(dir, source)));
    return path;
  }

  const open = (env: Readonly<Record<string, string>>) => openDockerRuntime({ env: { HOME: dir, DOCKER_HOST: `tcp://127.0.0.1:${port}`, ...env } });

  test("with the engine's authority and a client certificate of it everything works", async () => {
    const path = certificates("good", { "ca.pem": "ca.pem", "cert.pem": "client.pem", "key.pem": "client.key" });
    await using runtime = await open({ DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: path });
    assert.deepEqual(await runtime.listContainers(), []);
  });

  test("a certificate of another authority is refused, unless nobody looks", async () => {
    const path = certificates("wrong-ca", { "ca.pem": "other.pem", "cert.pem": "client.pem", "key.pem": "client.key" });
    await assert.rejects(open({ DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: path }), { code: "internal", message: /cannot talk to tcp:\/\/127\.0\.0\.1/ });
    await using runtime = await open({ DOCKER_TLS: "1", DOCKER_CERT_PATH: path });
    assert.deepEqual(await runtime.listContainers(), []);
  });

  test("a certificate for another name is refused", async () => {
    const path = certificates("good", { "ca.pem": "ca.pem", "cert.pem": "client.pem", "key.pem": "client.key" });
    await assert.rejects(open({ DOCKER_HOST: `tcp://localhost:${port}`, DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: path }), { code: "internal" });
  });

  test("without a certificate of ours, or without TLS, there is an error and no hanging", async () => {
    const path = certificates("no-client", { "ca.pem": "ca.pem" });
    await assert.rejects(open({ DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: path }), { code: "internal" });
    await assert.rejects(open({}), { code: "internal" });
  });

  test("a context brings its endpoint and its certificates", async () => {
    const id = createHash("sha256").update("far").digest("hex");
    const meta = join(dir, "config/contexts/meta", id);
    mkdirSync(meta, { recursive: true });
    writeFileSync(join(meta, "meta.json"), JSON.stringify({ Name: "far", Endpoints: { docker: { Host: `tcp://127.0.0.1:${port}`, SkipTLSVerify: false } } }));
    certificates(`config/contexts/tls/${id}/docker`, { "ca.pem": "ca.pem", "cert.pem": "client.pem", "key.pem": "client.key" });
    writeFileSync(join(dir, "config/config.json"), JSON.stringify({ currentContext: "far" }));
    const env = { HOME: dir, DOCKER_CONFIG: join(dir, "config") };
    assert.match(findEndpoints({ env })[0]?.source ?? "", /^context far/);
    for (const one of [env, { HOME: dir, DOCKER_CONFIG: join(dir, "config"), DOCKER_CONTEXT: "far" }]) {
      await using runtime = await openDockerRuntime({ env: one });
      assert.deepEqual(await runtime.listContainers(), []);
    }
    assert.match(findEndpoints({ env: { ...env, DOCKER_HOST: "unix:///x" } })[0]?.source ?? "", /^DOCKER_HOST/);
    assert.deepEqual(
      findEndpoints({ endpoint: "/y", env: { ...env, DOCKER_HOST: "unix:///x" } }).map((one) => one.endpoint),
      [{ kind: "socket", path: "/y" }],
    );
  });
});

describe("ssh", () => {
  /** Stands for ssh: notes how it was called and connects its pipes to a socket. */
  function fakeSsh(socket: string, notes: string): string {
    const path = join(dir, "fake-ssh");
    const relay = `const fs = require("fs"); fs.appendFileSync(${JSON.stringify(notes)}, process.pid + " " + process.argv.slice(2).join(" ") + "\\n");
const s = require("net").connect({ path: ${JSON.stringify(socket)}, allowHalfOpen: true }); process.stdin.pipe(s); s.pipe(process.stdout);`;
    writeFileSync(path, `#!${process.execPath}\n${relay}\n`);
    chmodSync(path, 0o755);
    return path;
  }

  const alive = (pid: number): boolean => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  };

  test("requests, streams and half-closed connections go through, and no ssh is left", async () => {
    const engine = await startFakeEngine({
      request: (_request, response) => sendJson(response, []),
      upgrade: (_request, socket) => {
        socket.write(switchingProtocols);
        let got = "";
        socket.on("data", (bytes: Buffer) => (got += bytes));
        socket.on("end", () => socket.end(`got:${got}`));
      },
    });
    const notes = join(dir, "ssh-notes");
    const client = new EngineClient({ endpoint: parseEndpoint("ssh://me@far:2222/run/user/docker.sock"), sshProgram: fakeSsh(engine.socket, notes) });
    for (let call = 0; call < 3; call++) assert.deepEqual(await client.list("GET", "/containers/json"), []);
    const socket = await client.upgrade("/containers/x/attach");
    socket.end("half");
    let answer = "";
    for await (const bytes of socket) answer += String(bytes);
    assert.equal(answer, "got:half");
    client.close();
    const lines = readFileSync(notes, "utf8").trim().split("\n");
    assert.equal(lines.length, 1, "one connection served all of it");
    assert.match(lines[0] ?? "", /-o ConnectTimeout=30 -T -l me -p 2222 -- far docker --host unix:\/\/\/run\/user\/docker\.sock system dial-stdio$/);
    const pids = lines.map((line) => Number(line.split(" ")[0]));
    while (pids.some(alive)) await new Promise((resolve) => setTimeout(resolve, 10));
    await engine.close();
  });

  test("what ssh complains of is in the error", async () => {
    const path = join(dir, "failing-ssh");
    writeFileSync(path, "#!/bin/sh\necho 'Permission denied (publickey).' >&2\nexit 255\n");
    chmodSync(path, 0o755);
    const client = new EngineClient({ endpoint: parseEndpoint("ssh://far"), sshProgram: path });
    await assert.rejects(client.list("GET", "/containers/json"), { code: "internal", message: /Permission denied \(publickey\)/ });
    client.close();
    const missing = new EngineClient({ endpoint: parseEndpoint("ssh://far"), sshProgram: join(dir, "no-such-ssh") });
    await assert.rejects(missing.list("GET", "/containers/json"), { code: "internal", message: /cannot run ssh/ });
    missing.close();
  });
});

const id = containerId({ service: "many" });
const entry = (second: number, text: string): Buffer => {
  const bytes = Buffer.from(`2026-01-02T03:04:0${second}.000000006Z ${text}\n`);
  return Buffer.concat([frameHeader("stdout", bytes.length), bytes]);
};

describe("many streams", () => {
  /** Logs that never end, executions that say one word. */
  const endless = () =>
    startFakeEngine({
      request: (request, response) => {
        if (answerLookup(request, response)) return;
        const path = request.url ?? "";
        if (/logs.*follow=true/.test(path)) response.write(entry(6, "live"));
        else if (path.includes("/logs")) response.end(entry(5, "history"));
        else if (path.includes("/export") || path.includes("/images/get") || path.includes("/archive")) response.write(Buffer.alloc(512));
        else if (path.includes("/images/create")) response.write('{"status":"Pulling"}\n');
        else if (path.includes("/events"))
          response.write('{"Type":"container","Action":"start","Actor":{"ID":"x","Attributes":{}},"time":1700000000,"timeNano":1700000000000000000}\n');
        else if (path.includes("/exec/")) sendJson(response, { Running: false, ExitCode: 137, Pid: 0 });
        else if (path.endsWith("/exec")) sendJson(response, { Id: "exec1" }, 201);
        else if (path.includes("/stats")) sendJson(response, { read: "2026-01-02T03:04:05Z", cpu_stats: { cpu_usage: { total_usage: 5 } } });
        else sendJson(response, { State: { Running: true, Status: "running" }, Config: { Tty: false } });
      },
      upgrade: (_request, socket) => socket.write(Buffer.concat([Buffer.from(switchingProtocols), frameHeader("stdout", 5), Buffer.from("word\n")])),
    });

  test("of a thousand abandoned ones no connection, listener, timer or process stays", async () => {
    const engine = await endless();
    const runtime = await openDockerRuntime({ endpoint: engine.endpoint, env: {} });
    const before = process
      .getActiveResourcesInfo()
      .filter((name) => name !== "Immediate")
      .sort();
    const { signal } = new AbortController();
    const kinds = [
      () => runtime.logsStream(id, { follow: true }, { signal }),
      () => runtime.execStream(id, ["x"], { signal }),
      () => runtime.statsStream(id, { intervalMs: 100, signal }),
      () => runtime.exportContainerFs(id, { signal }),
      () => runtime.saveImages(["demo:1"], { signal }),
      () => runtime.archiveGet(id, "/etc", { signal }),
      () => runtime.pullImageStream("127.0.0.1:5000/demo:1", undefined, { signal }),
      async () => (await runtime.extras?.events?.({ signal })) ?? assert.fail("no events"),
    ];
    for (let round = 0; round < 125; round++) {
      await Promise.all(
        kinds.map(async (open, index) => {
          const stream = (await open())[Symbol.asyncIterator]();
          // Before its first item, after it, and with a read pending.
          if ((round + index) % 3 > 0) await stream.next();
          const pending = (round + index) % 3 === 2 ? stream.next() : undefined;
          await stream.return?.();
          await pending?.catch(() => {});
        }),
      );
    }
    assert.equal(getEventListeners(signal, "abort").length, 0);
    // What is kept for the next request is not held by a stream.
    await runtime.close();
    const held = (): readonly string[] =>
      process
        .getActiveResourcesInfo()
        .filter((name) => name !== "Immediate")
        .sort();
    for (let look = 0; look < 500 && (engine.connections() > 0 || held().length >= before.length); look++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(engine.connections(), 0);
    assert.ok(held().length < before.length, `${held().join(" ")} instead of less than ${before.join(" ")}`);
    await engine.close();
  });

  test("five hundred that follow a log at once stay below 150 MB", async (t) => {
    const engine = await endless();
    // As users run it: to strip types at every start takes a good 50 MB by itself.
    const program = join(dir, "follow-logs.mjs");
    buildSync({ entryPoints: [join(import.meta.dirname, "../support/follow-logs.ts")], bundle: true, platform: "node", format: "esm", outfile: program });
    const child = spawn(process.execPath, [program, engine.endpoint, "500"], { stdio: ["pipe", "pipe", "inherit"] });
    let said = "";
    for await (const text of child.stdout.setEncoding("utf8")) {
      said += String(text);
      if (said.includes("\n")) break;
    }
    child.kill("SIGKILL");
    const { following, rssBytes }: { readonly following: number; readonly rssBytes: number } = JSON.parse(said);
    assert.equal(following, 500);
    t.diagnostic(`${Math.round(rssBytes / 1e6)} MB`);
    assert.ok(rssBytes < 150e6, `${Math.round(rssBytes / 1e6)} MB`);
    await engine.close();
  });

  test("a reader that pauses makes the engine wait", async () => {
    let sent = 0;
    const engine = await startFakeEngine({
      request: (request, response) => {
        if (answerLookup(request, response)) return;
        const chunk = Buffer.alloc(64 * 1024);
        const more = (): void => {
          while (!response.destroyed && response.write(chunk)) sent += chunk.length;
        };
        response.on("drain", more);
        more();
      },
    });
    await using runtime = await openDockerRuntime({ endpoint: engine.endpoint, env: {} });
    const stream = (await runtime.exportContainerFs(id))[Symbol.asyncIterator]();
    await stream.next();
    let last = -1;
    while (last !== sent) {
      last = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.ok(sent < 16 * 1024 * 1024, `${sent} bytes were taken although nobody read`);
    await stream.return?.();
    await engine.close();
  });
});
