/** `berth serve` on TCP: who may come in by certificate or token, what each may do, and what is refused before anything listens. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { startDaemon } from "../../src/daemon/daemon.ts";
import { createLogger } from "../../src/daemon/log.ts";
import { completeSettings } from "../../src/daemon/options.ts";
import { type BerthDaemon, startBerthDaemon } from "../support/berth-daemon.ts";
import { makeCertificates } from "../support/certificates.ts";
import { type CommandResult, runCommand } from "../support/docker-cli.ts";
import { freePort } from "../support/free-port.ts";

const directory = mkdtempSync(join(tmpdir(), "berth-tls-"));
const path = (name: string): string => join(directory, name);
const tokens = { reader: "reader-0123456789abcdef", operator: "operator-0123456789abcdef", admin: "admin-0123456789abcdef" };
const serverFlags = ["--tls-cert", path("server.pem"), "--tls-key", path("server.key")];

before(() => {
  makeCertificates(directory);
  const lines = Object.entries(tokens).map(([role, token]) => `${token} ${role} ${role}-of-the-test\n`);
  writeFileSync(path("tokens"), lines.join(""), { mode: 0o600 });
});

after(() => rmSync(directory, { recursive: true, force: true }));

async function startOnTcp(flags: readonly string[]): Promise<BerthDaemon & { readonly port: number }> {
  const port = await freePort();
  const daemon = await startBerthDaemon({ backend: "mock", args: ["-H", `tcp://127.0.0.1:${port}`, ...serverFlags, ...flags] });
  return Object.assign(daemon, { port });
}

describe("clients known by certificate", () => {
  let daemon: BerthDaemon & { readonly port: number };
  before(async () => {
    daemon = await startOnTcp(["--tls-ca-cert", path("ca.pem")]);
  });
  after(() => daemon.stop());

  /** The docker command over TLS, with the certificate of that name. */
  function dockerAs(name: string | undefined, ...args: readonly string[]): Promise<CommandResult> {
    const certificate = name === undefined ? [] : ["--tlscert", path(`${name}.pem`), "--tlskey", path(`${name}.key`)];
    const flags = ["--tlsverify", "--tlscacert", path("ca.pem"), ...certificate, "-H", `tcp://127.0.0.1:${daemon.port}`];
    // Without a certificate of its own the command would look for one in its configuration.
    return runCommand("docker", [...flags, ...args], { env: { DOCKER_CONFIG: directory, DOCKER_CERT_PATH: directory } });
  }

  test("docker --tlsverify works with a certificate of our authority", async () => {
    const version = await dockerAs("client", "version", "-f", "{{.Server.Version}}");
    assert.equal(version.code, 0, version.stderr);
    const created = await dockerAs("client", "volume", "create", "by-certificate");
    assert.equal(created.stdout.trim(), "by-certificate", created.stderr);
  });

  test("none and one of another authority are refused", async () => {
    for (const name of [undefined, "stranger"]) {
      const refused = await dockerAs(name, "ps");
      assert.notEqual(refused.code, 0, `${name}`);
      assert.match(refused.stderr, /tls|certificate|bad/i);
    }
    assert.equal((await dockerAs("client", "ps")).code, 0);
  });

  test("who speaks no TLS, or nothing at all, holds up nobody", async () => {
    const silent = connect({ port: daemon.port, host: "127.0.0.1" });
    const plain = connect({ port: daemon.port, host: "127.0.0.1" });
    for (const socket of [silent, plain]) socket.on("error", () => {});
    plain.write("GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n");
    plain.resume();
    await new Promise((resolve) => plain.once("close", resolve));
    assert.equal((await dockerAs("client", "ps")).code, 0);
    silent.destroy();
  });
});

describe("clients known by token", () => {
  let daemon: BerthDaemon & { readonly port: number };
  let agent: Agent;
  before(async () => {
    daemon = await startOnTcp(["--token-file", path("tokens")]);
    agent = new Agent({ keepAlive: true, ca: readFileSync(path("ca.pem")), servername: "engine.example.org" });
  });
  after(async () => {
    agent.destroy();
    await daemon.stop();
  });

  function call(method: string, route: string, o: { token?: string; body?: object; headers?: Record<string, string> } = {}): Promise<number> {
    const headers = {
      ...(o.token === undefined ? {} : { authorization: `Bearer ${o.token}` }),
      ...(o.body === undefined ? {} : { "content-type": "application/json" }),
      ...o.headers,
    };
    return new Promise((resolve, reject) => {
      const sent = request({ host: "127.0.0.1", port: daemon.port, agent, method, path: route, headers }, (response) => {
        response.resume().once("end", () => resolve(response.statusCode ?? 0));
      });
      sent.once("error", reject).end(o.body === undefined ? undefined : JSON.stringify(o.body));
    });
  }

  test("a token is asked for, also of pings, and must be a known one", async () => {
    for (const route of ["/_ping", "/info", "/api/v1/containers", "/metrics"]) {
      assert.equal(await call("GET", route), 401, route);
      assert.equal(await call("GET", route, { token: "nobody-at-all-0000" }), 401, route);
      assert.equal(await call("GET", route, { token: tokens.reader }), 200, route);
    }
    assert.equal(await call("GET", "/info", { headers: { authorization: `Basic ${tokens.admin}` } }), 401);
  });

  test("readers look, operators change, admins keep credentials", async () => {
    const volume = (token: string, name: string): Promise<number> => call("POST", "/volumes/create", { token, body: { Name: name } });
    assert.equal(await volume(tokens.reader, "of-reader"), 403);
    assert.equal(await volume(tokens.operator, "of-operator"), 201);
    assert.equal(await volume(tokens.admin, "of-admin"), 201);
    assert.equal(await call("GET", "/volumes/of-reader", { token: tokens.reader }), 404);
    assert.equal(await call("GET", "/volumes/of-operator", { token: tokens.reader }), 200);
    const native = (token: string): Promise<number> => call("DELETE", "/api/v1/volumes/of-operator", { token });
    assert.equal(await native(tokens.reader), 403);
    assert.equal(await native(tokens.operator), 204);
    assert.equal(await call("GET", "/api/v1/credentials/registry", { token: tokens.operator }), 403);
    assert.equal(await call("GET", "/api/v1/credentials/registry", { token: tokens.admin }), 200);
    const secret = { name: "@web/token", value: "hidden value" };
    for (const [token, status] of [
      [tokens.operator, 403],
      [tokens.admin, 201],
    ] as const)
      assert.equal(await call("POST", "/api/v1/secrets", { token, body: secret }), status);
    assert.equal(await call("GET", "/api/v1/secrets", { token: tokens.operator }), 403);
    assert.equal(await call("GET", "/api/v1/secrets", { token: tokens.admin }), 200);
    assert.equal(await call("DELETE", "/api/v1/secrets/%40web%2Ftoken", { token: tokens.admin }), 204);
    assert.equal(await call("DELETE", "/api/v1/secrets/%40web%2Ftoken", { token: tokens.admin }), 404);
  });

  test("a name is answered only if the certificate has it, a page elsewhere never", async () => {
    const token = tokens.reader;
    for (const host of ["127.0.0.1", "localhost:9", "engine.example.org:2376", "one.engines.example.org", "docker"]) {
      assert.equal(await call("GET", "/info", { token, headers: { host } }), 200, host);
    }
    for (const host of ["evil.example.com", "example.org", "a.b.engines.example.org"]) {
      assert.equal(await call("GET", "/info", { token, headers: { host } }), 403, host);
    }
    for (const origin of ["https://evil.example.com", "null"]) {
      assert.equal(await call("GET", "/info", { token, headers: { origin } }), 403, origin);
      assert.equal(await call("GET", "/_ping", { token, headers: { origin } }), 403, origin);
    }
    assert.equal(await call("GET", "/info", { token, headers: { host: "localhost:1", origin: "https://localhost:1" } }), 200);
  });

  test("no token and no secret is in the log", () => {
    for (const token of [...Object.values(tokens), "hidden value"]) assert.ok(!daemon.log().includes(token));
  });
});

describe("refused at the start, with the remedy", () => {
  const server = { "tls-cert": path("server.pem"), "tls-key": path("server.key") };
  const cases: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
    ["TCP without TLS", {}, /needs tls-cert and tls-key/],
    ["TCP without a way to know clients", server, /tls-ca-cert or token-file to know its clients/],
    ["a certificate without its key", { "tls-cert": path("server.pem") }, /tls-cert and tls-key go together/],
    ["a file that is not there", { ...server, "tls-ca-cert": path("nowhere.pem") }, /cannot read .*nowhere\.pem/],
    ["a key of another certificate", { ...server, "tls-key": path("client.key"), "tls-ca-cert": path("ca.pem") }, /the key the certificate's/],
    ["a token file that others may read", { ...server, "token-file": path("open-tokens") }, /chmod it to 0600/],
  ];
  before(() => writeFileSync(path("open-tokens"), `${tokens.admin} admin\n`, { mode: 0o644 }));

  for (const [name, flags, message] of cases) {
    test(name, async () => {
      const port = await freePort();
      const starting = async (): Promise<void> => {
        const settings = completeSettings({}, { host: `tcp://127.0.0.1:${port}`, backend: "mock", root: path("root"), ...flags });
        await (await startDaemon({ settings, log: createLogger({ level: "error", format: "text", write: () => {} }), env: {} })).close();
      };
      await assert.rejects(starting, message);
      // Nobody listens there.
      await assert.rejects(once(connect({ port, host: "127.0.0.1" }), "connect"), /ECONNREFUSED/);
    });
  }
});
