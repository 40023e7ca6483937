/** Traces: what a collector receives over OTLP, and that one which is slow or gone is nobody's trouble. */
import assert from "node:assert/strict";
import { Agent } from "node:http";
import { describe, test, type TestContext } from "node:test";
import { completeSettings } from "../../src/daemon/options.ts";
import { isRecord } from "../../src/spec/descriptor.ts";
import { type BerthDaemon, startBerthDaemon } from "../support/berth-daemon.ts";
import { callSocket } from "../support/call-socket.ts";
import { freePort } from "../support/free-port.ts";
import { serveHttp } from "../support/http-server.ts";

interface Received {
  readonly texts: readonly string[];
  readonly url: string;
  readonly host: string;
}

async function collector(t: TestContext): Promise<Received> {
  const texts: string[] = [];
  let url = "";
  const server = await serveHttp((request, response) => {
    url = request.url ?? "";
    let text = "";
    request.setEncoding("utf8").on("data", (more: string) => (text += more));
    request.once("end", () => {
      texts.push(text);
      response.end("{}");
    });
  });
  t.after(() => server.close());
  return {
    texts,
    host: server.host,
    get url() {
      return url;
    },
  };
}

async function tracedDaemon(t: TestContext, endpoint: string): Promise<BerthDaemon> {
  const daemon = await startBerthDaemon({ backend: "mock", args: ["--otlp-endpoint", endpoint, "--log-format", "json"] });
  t.after(() => daemon.stop());
  return daemon;
}

/** Spans as name to what is in them. */
function spansOf(texts: readonly string[]): readonly Readonly<Record<string, unknown>>[] {
  const all = (value: unknown, key: string): unknown[] => (isRecord(value) && Array.isArray(value[key]) ? value[key] : []);
  const scopes = texts.flatMap((text) => all(JSON.parse(text), "resourceSpans")).flatMap((resource) => all(resource, "scopeSpans"));
  return scopes.flatMap((scope) => all(scope, "spans")).filter(isRecord);
}

describe("traces", () => {
  test("a request becomes a span: its route, status and times, below the caller's, and nothing secret", async (t) => {
    const { texts, host } = await collector(t);
    const daemon = await tracedDaemon(t, `http://${host}/`);
    const secrets = ["hunter2-password", "secret-token-0123456789", "value-of-a-query"];
    const [traceId, parentId] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
    const call = (method: string, path: string, o: Parameters<typeof callSocket>[3] = {}) => callSocket(daemon.socket, method, path, o);
    await call("GET", "/v1.47/containers/json?limit=3", { headers: { traceparent: `00-${traceId}-${parentId}-01` } });
    await call("GET", "/info", { headers: { traceparent: `00-${"0".repeat(32)}-${parentId}-01`, authorization: `Bearer ${secrets[1]}` } });
    await call("GET", `/containers/nope/json?x=${secrets[2]}`);
    await call("POST", "/auth", { body: { username: "alice", password: secrets[0], serveraddress: "registry.example:5000" } });
    await call("POST", `/build?remote=${secrets[2]}`);
    await call("GET", "/api/v1/containers/nope");
    await daemon.end();
    const spans = spansOf(texts);
    const named = (name: string): Readonly<Record<string, unknown>> => {
      const found = spans.find((span) => span["name"] === name);
      assert.ok(found !== undefined, `${name} is not in ${spans.map((span) => span["name"]).join(", ")}`);
      return found;
    };
    const list = named("GET /containers/json");
    assert.deepEqual([list["traceId"], list["parentSpanId"], list["status"]], [traceId, parentId, {}]);
    assert.ok(Number(list["endTimeUnixNano"]) >= Number(list["startTimeUnixNano"]));
    assert.deepEqual(list["attributes"], [
      { key: "http.request.method", value: { stringValue: "GET" } },
      { key: "http.route", value: { stringValue: "/containers/json" } },
      { key: "http.response.status_code", value: { intValue: "200" } },
    ]);
    const info = named("GET /info");
    assert.match(String(info["traceId"]), /^[0-9a-f]*[1-9a-f][0-9a-f]*$/);
    assert.equal(info["parentSpanId"], undefined);
    const missing = named("GET /containers/:id/json");
    assert.deepEqual(missing["status"], {});
    assert.match(JSON.stringify(missing["attributes"]), /"404"/);
    const build = named("POST /build");
    assert.ok(isRecord(build["status"]) && build["status"]["code"] === 2 && build["status"]["message"] !== "", JSON.stringify(build));
    assert.match(JSON.stringify(named("GET /api/v1/containers/:id")["attributes"]), /"404"/);
    for (const secret of secrets) assert.ok(!texts.join("").includes(secret), secret);
  });

  test("a collector that never answers and one that is not there break nothing, and no stop waits for them", async (t) => {
    const hanging = await serveHttp(() => {});
    t.after(() => hanging.close());
    for (const endpoint of [`http://${hanging.host}`, `http://127.0.0.1:${await freePort()}`]) {
      const daemon = await tracedDaemon(t, endpoint);
      // More than it keeps.
      const agent = new Agent({ keepAlive: true, maxSockets: 4 });
      const answers = await Promise.all(Array.from({ length: 2_100 }, () => callSocket(daemon.socket, "GET", "/volumes", { agent })));
      assert.ok(answers.every(({ status }) => status === 200));
      agent.destroy();
      await daemon.end();
      assert.doesNotMatch(daemon.log(), /"level":"(warn|error)"/);
    }
    assert.ok(hanging.requests.every(({ url }) => url === "/v1/traces"));
  });

  test("an endpoint that is none is refused at the start", () => {
    for (const endpoint of ["nowhere", "ftp://127.0.0.1", "http://alice:secret@127.0.0.1:4318"]) {
      assert.throws(() => completeSettings({}, { "otlp-endpoint": endpoint }), { code: "configuration", message: /otlp-endpoint must be a URL/ });
    }
  });
});
