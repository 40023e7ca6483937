/** The daemon in this very process, over the mock backend: what it answers to good and to bad requests, on its real socket. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { Agent } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Daemon, startDaemon } from "../../src/daemon/daemon.ts";
import { createLogger } from "../../src/daemon/log.ts";
import { completeSettings } from "../../src/daemon/options.ts";
import { isRecord } from "../../src/spec/descriptor.ts";
import { type Answer, callSocket, type Sent } from "../support/call-socket.ts";

const directory = mkdtempSync(join(tmpdir(), "berth-daemon-http-"));
const socketPath = join(directory, "docker.sock");
const tokens = join(directory, "tokens");
const readerToken = "reader-0123456789abcdef";
const agent = new Agent({ keepAlive: true });
let daemon: Daemon;
let log = "";

before(async () => {
  writeFileSync(tokens, `${readerToken} reader alice\n`, { mode: 0o600 });
  const settings = completeSettings(
    {},
    { host: `unix://${socketPath}`, root: join(directory, "root"), backend: "mock", "token-file": tokens, "log-level": "debug", "shutdown-timeout": 0 },
  );
  daemon = await startDaemon({ settings, log: createLogger({ level: "debug", format: "json", write: (line) => (log += line) }), env: {} });
});

after(async () => {
  agent.destroy();
  await daemon.close();
  rmSync(directory, { recursive: true, force: true });
});

const call = (method: string, path: string, o: Sent = {}): Promise<Answer> => callSocket(socketPath, method, path, { agent, ...o });

function messageOf(answer: Answer): string {
  return isRecord(answer.body) ? String(answer.body["message"]) : "";
}

describe("the socket", () => {
  test("is closed to others, and a second daemon is told so", async () => {
    assert.ok([0o600, 0o660].includes(statSync(socketPath).mode & 0o777));
    const settings = completeSettings({}, { host: `unix://${socketPath}`, root: join(directory, "other"), backend: "mock" });
    const quiet = createLogger({ level: "error", format: "text", write: () => {} });
    await assert.rejects(startDaemon({ settings, log: quiet, env: {} }), /another daemon listens/);
  });

  test("answers pings with the versions it speaks", async () => {
    for (const path of ["/_ping", "/v1.24/_ping", "/v1.47/_ping"]) {
      const answer = await call("GET", path);
      assert.equal(answer.text, "OK");
      assert.equal(answer.headers["api-version"], "1.47");
      assert.equal(answer.headers["ostype"], "linux");
    }
    assert.equal((await call("HEAD", "/_ping")).status, 200);
    assert.equal((await call("GET", "/v1.99/_ping")).status, 400);
  });
});

describe("bad requests get the status and the message Docker gives", () => {
  const cases: readonly (readonly [string, string, string, number, RegExp, ({ raw: string } | { body: unknown })?])[] = [
    ["an unknown route", "GET", "/nowhere", 404, /^page not found$/],
    ["another method", "PATCH", "/containers/json", 404, /^page not found$/],
    ["too old a version", "GET", "/v1.23/info", 400, /too old/],
    ["too new a version", "GET", "/v1.48/info", 400, /too new/],
    ["an unknown container", "GET", "/containers/nope/json", 404, /^No such container: nope$/],
    ["an unknown image", "GET", "/images/nope/json", 404, /^No such image: nope:latest$/],
    ["an unknown exec", "GET", "/exec/nope/json", 404, /^No such exec instance: nope$/],
    ["an unknown network", "GET", "/networks/nope", 404, /^network nope not found$/],
    ["an unknown volume", "GET", "/volumes/nope", 404, /no such volume$/],
    ["logs of neither channel", "GET", "/containers/nope/logs", 400, /at least one stream/],
    ["a broken filter", "GET", "/containers/json?filters=%7B", 400, /filters/],
    ["an unknown filter", "GET", `/containers/json?filters=${encodeURIComponent('{"nope":["x"]}')}`, 400, /invalid filter 'nope'/],
    ["an expression that never ends", "GET", `/containers/json?filters=${encodeURIComponent('{"name":["(a+)+$"]}')}`, 200, /^$/],
    ["a wrong condition", "POST", "/containers/nope/wait?condition=never", 400, /invalid condition/],
    ["a wrong size", "POST", "/containers/nope/resize?h=x&w=1", 400, /not a whole number/],
    ["a wrong signal", "POST", "/containers/nope/kill?signal=NOPE", 400, /invalid signal/],
    ["a broken escape", "GET", "/containers/%zz/json", 400, /invalid escape/],
    ["no JSON", "POST", "/containers/create", 400, /invalid JSON/, { raw: "{" }],
    ["JSON that is no object", "POST", "/containers/create", 400, /must be a JSON object/, { body: [] }],
    ["JSON of many levels", "POST", "/containers/create", 400, /levels deep/, { raw: `{"a":${"[".repeat(100)}${"]".repeat(100)}}` }],
    ["a prototype", "POST", "/containers/create", 400, /__proto__/, { raw: '{"Image":"x","__proto__":{"Tty":true}}' }],
    ["a wrong type", "POST", "/containers/create", 400, /Image must be a string/, { body: { Image: 7 } }],
    ["no image", "POST", "/containers/create", 400, /no image/, { body: {} }],
    ["an image that is not here", "POST", "/containers/create", 404, /^No such image: nope:latest$/, { body: { Image: "nope" } }],
    ["a wrong name", "POST", "/containers/create?name=-", 400, /Invalid container name \(-\)/, { body: { Image: "nope" } }],
    ["a swarm", "GET", "/services", 503, /not a swarm manager/],
    ["a build", "POST", "/build", 501, /does not build images/],
    ["a session", "POST", "/session", 501, /BuildKit/],
    ["an archive without path", "GET", "/containers/nope/archive", 400, /path cannot be empty/],
    ["a predefined network", "DELETE", "/networks/bridge", 403, /pre-defined/],
    ["a foreign driver", "POST", "/volumes/create", 404, /plugin "x" not found/, { body: { Driver: "x" } }],
  ];
  for (const [name, method, path, status, message, input] of cases) {
    test(name, async () => {
      const answer = await call(method, path, input);
      assert.equal(answer.status, status, answer.text);
      if (status >= 400) assert.match(messageOf(answer), message);
    });
  }

  test("a body that is too large is refused before it is read", async () => {
    const answer = await call("POST", "/containers/create", { raw: Buffer.alloc(3 * 1024 * 1024, " ") });
    assert.equal(answer.status, 413);
    assert.equal((await call("GET", "/_ping")).status, 200);
  });

  test("a page elsewhere is refused", async () => {
    assert.equal((await call("GET", "/info", { headers: { origin: "https://evil.example.com" } })).status, 403);
  });

  test("garbage and half requests end their own connection only", async () => {
    for (const text of [
      "\0\0\0garbage\r\n\r\n",
      "GET /_ping HTTP/1.1\r\nHost: x\r\nContent-Length: nonsense\r\n\r\n",
      "POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 100\r\n\r\n{",
    ]) {
      const socket = connect({ path: socketPath });
      socket.on("error", () => {});
      socket.end(text);
      await new Promise((resolve) => {
        socket.resume();
        socket.once("close", resolve);
      });
    }
    assert.equal((await call("GET", "/_ping")).status, 200);
  });

  test("every route survives every method with nonsense", async () => {
    const paths = [
      "/containers/x/start",
      "/containers/x/exec",
      "/exec/x/start",
      "/images/a/b/tag",
      "/networks/create",
      "/volumes/create",
      "/commit",
      "/auth",
      "/images/create",
      "/containers/x/update",
      "/networks/x/connect",
    ];
    for (const path of paths) {
      for (const body of [{ Container: 1, Name: [], Cmd: 3, username: {} }, [1], "text", 7]) {
        const answer = await call("POST", path, { body });
        assert.ok(answer.status >= 400 && answer.status < 600, `${path} ${JSON.stringify(body)}: ${answer.status}`);
        assert.notEqual(answer.status, 500, `${path} ${JSON.stringify(body)}: ${answer.text}`);
        assert.notEqual(messageOf(answer), "");
      }
    }
  });
});

describe("the native API", () => {
  test("describes itself from the schemas that check requests", async () => {
    const { status, body } = await call("GET", "/api/v1/openapi.json");
    assert.equal(status, 200);
    assert.ok(isRecord(body) && isRecord(body["paths"]));
    assert.equal(body["openapi"], "3.1.0");
    const create = body["paths"]["/api/v1/containers"];
    assert.ok(isRecord(create) && isRecord(create["post"]));
    assert.match(JSON.stringify(create["post"]), /"pull_policy":\{"type":"string","enum":\["always","newer","if_not_present","never"\]\}/);
    assert.ok(Object.keys(body["paths"]).length > 40);
  });

  test("says in its own words what is wrong", async () => {
    const unknown = await call("GET", "/api/v1/containers/nope");
    assert.deepEqual(unknown.body, { error: "not_found", message: "No such container: nope" });
    const invalid = await call("POST", "/api/v1/containers", { body: { image: "x", nope: 1, pull_policy: "sometimes" } });
    assert.equal(invalid.status, 400);
    assert.ok(isRecord(invalid.body) && invalid.body["error"] === "validation_error");
    assert.match(messageOf(invalid), /pull_policy/);
    assert.equal((await call("GET", "/api/v1/nowhere")).status, 404);
  });

  test("knows who asks: a reader reads and changes nothing, a stranger is no one", async () => {
    const headers = { authorization: `Bearer ${readerToken}` };
    assert.equal((await call("GET", "/api/v1/containers", { headers })).status, 200);
    assert.equal((await call("POST", "/api/v1/containers", { headers, body: { image: "x" } })).status, 403);
    assert.equal((await call("POST", "/containers/prune", { headers })).status, 403);
    assert.equal((await call("GET", "/containers/json", { headers })).status, 200);
    assert.equal((await call("GET", "/api/v1/credentials/registry", { headers })).status, 403);
    assert.equal((await call("GET", "/api/v1/containers", { headers: { authorization: "Bearer nobody-at-all-0000" } })).status, 401);
  });

  test("health and metrics", async () => {
    const health = await call("GET", "/api/v1/healthz");
    assert.ok(isRecord(health.body) && health.body["status"] === "ok" && health.body["backend"] === "mock");
    const metrics = await call("GET", "/metrics");
    assert.match(metrics.text, /^berth_info\{version="[^"]+",backend="mock"\} 1$/m);
    assert.match(metrics.text, /^berth_http_requests_total\{method="GET",route="\/containers\/:id\/json",status="404"\} 1$/m);
  });
});

test("the log holds no token", () => {
  assert.ok(log.includes('"message":"request"'));
  assert.ok(!log.includes(readerToken));
});
