/** Streams of programs over connections that are not plain HTTP: WebSockets with a token over TLS, and hijacked ones over TLS. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { isIsolated, runIsolated } from "../../scripts/lib/isolate.ts";
import { isRecord } from "../../src/spec/descriptor.ts";
import { type BerthDaemon, startBerthDaemon } from "../support/berth-daemon.ts";
import { makeCertificates } from "../support/certificates.ts";
import { pushDemoImage } from "../support/demo.ts";
import { freePort } from "../support/free-port.ts";
import { type RegistryServer, startRegistry } from "../support/registry-server.ts";
import { dockerOf, type ScenarioContext, until } from "../support/scenarios.ts";

const operator = "operator-0123456789abcdef";
const reader = "reader-0123456789abcdef";
const mebibyte = 1024 * 1024;

/** What a client saw, from its open to its close. */
interface Talk {
  readonly socket: WebSocket;
  output(): Buffer;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

if (!isIsolated()) {
  test("streams over WebSockets and TLS, in namespaces of their own", { timeout: 600_000 }, () => {
    if (runIsolated() !== 0) throw new Error("a test failed; its output is above");
  });
} else {
  describe("streams", () => {
    const directory = mkdtempSync(join(tmpdir(), "berth-streams-"));
    const path = (name: string): string => join(directory, name);
    let daemon: BerthDaemon;
    let registry: RegistryServer;
    let ok: ScenarioContext["ok"];
    let image = "";
    let port = 0;
    before(async () => {
      makeCertificates(directory);
      writeFileSync(path("tokens"), `${operator} operator\n${reader} reader\n`, { mode: 0o600 });
      port = await freePort();
      const tls = ["--tls-cert", path("server.pem"), "--tls-key", path("server.key"), "--tls-ca-cert", path("ca.pem"), "--token-file", path("tokens")];
      [registry, daemon] = await Promise.all([startRegistry(), startBerthDaemon({ args: ["-H", `tcp://127.0.0.1:${port}`, ...tls] })]);
      image = await pushDemoImage(registry.host);
      ({ ok } = dockerOf(daemon.endpoint, directory));
      await ok(["pull", "-q", image]);
      await ok(["run", "-d", "--name", "box", image, "sleep", "100000"]);
    });
    after(async () => {
      await daemon.stop();
      await registry.close();
      rmSync(directory, { recursive: true, force: true });
    });

    function tlsOptions(token: string): object {
      const read = (name: string): Buffer => readFileSync(path(name));
      return { ca: read("ca.pem"), cert: read("client.pem"), key: read("client.key"), headers: { authorization: `Bearer ${token}` } };
    }

    function call(method: string, route: string, body?: object): Promise<{ status: number; body: unknown }> {
      return new Promise((resolve, reject) => {
        const sent = request({ host: "127.0.0.1", port, method, path: route, ...tlsOptions(operator) }, (response) => {
          let text = "";
          response.setEncoding("utf8").on("data", (more: string) => (text += more));
          response.once("end", () => resolve({ status: response.statusCode ?? 0, body: text === "" ? undefined : JSON.parse(text) }));
        });
        sent.once("error", reject);
        if (body !== undefined) sent.setHeader("content-type", "application/json");
        sent.end(body === undefined ? undefined : JSON.stringify(body));
      });
    }

    async function createExec(command: readonly string[], o: object = {}): Promise<string> {
      const { status, body } = await call("POST", "/api/v1/containers/box/exec", { command, ...o });
      assert.ok(isRecord(body) && typeof body["id"] === "string", `${status} ${JSON.stringify(body)}`);
      return body["id"];
    }

    function talk(route: string, token = operator): Talk {
      const socket = new WebSocket(`wss://127.0.0.1:${port}${route}`, { ...tlsOptions(token), perMessageDeflate: false });
      const chunks: Buffer[] = [];
      socket.on("message", (data: Buffer, isBinary) => {
        assert.ok(isBinary);
        chunks.push(data);
      });
      const closed = new Promise<{ code: number; reason: string }>((resolve, reject) => {
        socket.once("error", reject);
        socket.once("close", (code, reason) => resolve({ code, reason: reason.toString("utf8") }));
      });
      closed.catch(() => {});
      return { socket, output: () => Buffer.concat(chunks), closed };
    }

    async function execTalk(command: readonly string[], o: object = {}): Promise<Talk> {
      return talk(`/api/v1/exec/${await createExec(command, o)}/start`);
    }

    async function refusal(route: string, token = operator): Promise<number> {
      const { socket, closed } = talk(route, token);
      const [, response] = (await once(socket, "unexpected-response")) as [unknown, { statusCode?: number; destroy(): void }];
      response.destroy();
      socket.terminate();
      await closed.catch(() => {});
      return response.statusCode ?? 0;
    }

    describe("exec over WebSocket", () => {
      test("takes what is sent at once, gives every byte back, and the exit code last", async () => {
        const { socket, output, closed } = await execTalk(["sh", "-c", "cat; exit 7"], { attach_stdin: true });
        const data = randomBytes(2 * mebibyte);
        socket.once("open", () => {
          for (let at = 0; at < data.length; at += 100_000) socket.send(data.subarray(at, at + 100_000));
          socket.send('{"close_stdin":true}');
        });
        assert.deepEqual(await closed, { code: 1000, reason: "7" });
        assert.ok(output().equals(data));
      });

      test("stdout and stderr arrive together; without attach_stdin there is no input", async () => {
        const { socket, output, closed } = await execTalk(["sh", "-c", "cat; echo out; echo err >&2"]);
        socket.once("open", () => socket.send(Buffer.from("nobody reads this")));
        assert.deepEqual(await closed, { code: 1000, reason: "0" });
        assert.deepEqual(output().toString("utf8").trim().split("\n").sort(), ["err", "out"]);
      });

      test("a terminal is resized by text frames, and nonsense in them harms nothing", async () => {
        const { socket, output, closed } = await execTalk(["sh", "-c", "read line; stty size; exit 3"], { attach_stdin: true, tty: true });
        await once(socket, "open");
        for (const text of ["{", "[]", '{"resize":7}', '{"resize":{"rows":-1,"cols":1e9}}', '{"resize":{"rows":40,"cols":120}}']) socket.send(text);
        socket.send(Buffer.from("go\n"));
        assert.deepEqual(await closed, { code: 1000, reason: "3" });
        assert.match(output().toString("utf8"), /^40 120\r$/m);
      });

      test("what cannot start closes with the reason", async () => {
        const { closed } = await execTalk(["no-such-program"]);
        assert.deepEqual(await closed, { code: 1000, reason: "127" });
        const id = await createExec(["true"], { working_dir: `/${"ä".repeat(300)}` });
        const { code, reason } = await talk(`/api/v1/exec/${id}/start`).closed;
        assert.ok(code === 1011 ? reason.length > 0 : Number(reason) > 0, `${code} ${reason}`);
      });

      test("is refused before the upgrade: unknown, not allowed, started twice; asking wrongly uses no start up", async () => {
        assert.equal(await refusal("/api/v1/exec/nope/start"), 404);
        const id = await createExec(["sleep", "0.1"]);
        const route = `/api/v1/exec/${id}/start`;
        assert.equal(await refusal(route, reader), 403);
        assert.equal(await refusal(route, "nobody-at-all-0000"), 401);
        assert.equal((await call("GET", route)).status, 400);
        assert.deepEqual(await talk(route).closed, { code: 1000, reason: "0" });
        assert.equal(await refusal(route), 409);
      });

      test("a client that does not read stops the program, one that sends too much is stopped itself", async () => {
        const before = residentBytes(daemon.pid);
        const flood = "i=0; while dd if=/dev/zero bs=1M count=1 2>/dev/null; do i=$((i+1)); echo $i > /tmp/count; done";
        const slow = await execTalk(["sh", "-c", flood]);
        const eager = await execTalk(["sleep", "100000"], { attach_stdin: true });
        await Promise.all([once(slow.socket, "open"), once(eager.socket, "open")]);
        slow.socket.pause();
        const chunk = Buffer.alloc(mebibyte);
        for (let i = 0; i < 64; i++) eager.socket.send(chunk);
        const written = await settled(async () => Number(await ok(["exec", "box", "cat", "/tmp/count"])) || 0);
        const waiting = await settled(async () => eager.socket.bufferedAmount);
        assert.ok(written < 32, `the program wrote ${written} MiB to a client that does not read`);
        assert.ok(waiting > 32 * mebibyte, `${waiting} bytes of 64 MiB wait at the client; somebody keeps the rest`);
        assert.ok(residentBytes(daemon.pid) - before < 64 * mebibyte);
        for (const { socket } of [slow, eager]) socket.terminate();
        await ok(["exec", "box", "sh", "-c", "pkill sleep; pkill dd; true"]).catch(() => "");
      });
    });

    describe("attach over WebSocket", () => {
      const route = (name: string, query: string): string => `/v1.47/containers/${name}/attach/ws?${query}`;

      test("binary and text frames are input, output comes back unmarked; closing leaves the container alone", async () => {
        await ok(["run", "-d", "-i", "--name", "echo", image, "cat"]);
        for (const round of [1, 2]) {
          const { socket, output, closed } = talk(route("echo", "stream=1&stdin=1&stdout=1&stderr=1"));
          await once(socket, "open");
          socket.send(`text ${round}\n`);
          socket.send(Buffer.from(`binary ${round}\n`));
          await until(`all of it came back in round ${round}`, () => output().toString("utf8") === `text ${round}\nbinary ${round}\n`);
          if (round === 1) socket.close();
          else socket.terminate();
          await closed;
        }
        assert.equal(await ok(["inspect", "-f", "{{.State.Running}}", "echo"]), "true");
      });

      test("logs come first where asked for, the end of the container closes", async () => {
        await ok(["run", "-d", "-i", "--name", "ends", image, "sh", "-c", "echo before; read line; echo got $line; echo no >&2; exit 5"]);
        await until("its first line is in the log", async () => (await ok(["logs", "ends"])) === "before");
        const { socket, output, closed } = talk(route("ends", "stream=1&stdin=1&stdout=1&logs=1"));
        await once(socket, "open");
        socket.send("it\n");
        assert.equal((await closed).code, 1000);
        assert.equal(output().toString("utf8"), "before\ngot it\n");
        assert.equal(await ok(["wait", "ends"]), "5");
        const { output: log, closed: over } = talk(route("ends", "logs=1&stderr=1"));
        await over;
        assert.equal(log().toString("utf8"), "no\n");
      });

      test("a terminal is resized by the route for it", async () => {
        await ok(["run", "-dit", "--name", "terminal", image, "sh"]);
        const { socket, output, closed } = talk(route("terminal", "stream=1&stdin=1&stdout=1"));
        await once(socket, "open");
        assert.equal((await call("POST", "/containers/terminal/resize?h=33&w=99")).status, 200);
        socket.send("stty size\n");
        await until("the size was told", () => /^33 99\r$/m.test(output().toString("utf8")));
        socket.send("\x10\x11");
        assert.equal((await closed).code, 1000);
        assert.equal(await ok(["inspect", "-f", "{{.State.Running}}", "terminal"]), "true");
      });

      test("is refused before the upgrade", async () => {
        assert.equal(await refusal(route("nope", "stream=1&stdout=1")), 404);
        assert.equal(await refusal(route("box", "stream=1")), 400);
        assert.equal(await refusal(route("box", "stream=1&stdout=1"), reader), 403);
      });
    });

    test("clients that vanish leave nothing open in the daemon", async () => {
      await ok(["run", "-d", "-i", "--name", "left", image, "cat"]);
      const round = async (): Promise<void> => {
        const talks = [await execTalk(["cat"], { attach_stdin: true }), talk("/v1.47/containers/left/attach/ws?stream=1&stdin=1&stdout=1")];
        await Promise.all(talks.map(({ socket }) => once(socket, "open")));
        for (const { socket } of talks) socket.send(Buffer.from("x\n"));
        for (const { socket, output } of talks) {
          await until(`it answers ${socket.url}`, () => output().length > 0);
          socket.terminate();
        }
      };
      await round();
      const start = await settled(async () => openDescriptors(daemon.pid));
      for (let i = 0; i < 10; i++) await round();
      await until("all descriptors are closed again", () => openDescriptors(daemon.pid) <= start);
      await until("every exec ended", async () => !(await ok(["top", "box"])).includes("cat"));
      assert.doesNotMatch(daemon.log(), /MaxListenersExceeded|ERROR/);
    });

    test("docker exec -i over TLS: all input, then its end, all output, then the exit code", async () => {
      const tls = ["--tlsverify", "--tlscacert", path("ca.pem"), "--tlscert", path("client.pem"), "--tlskey", path("client.key")];
      mkdirSync(path("config"), { recursive: true });
      const { docker } = dockerOf(`tcp://127.0.0.1:${port}`, path("config"));
      const text = randomBytes(512 * 1024).toString("hex");
      const { code, stdout, stderr } = await docker([...tls, "exec", "-i", "box", "sh", "-c", "cat; exit 9"], { stdin: text });
      assert.equal(code, 9, stderr);
      assert.ok(stdout === text);
    });
  });
}

/** A number that does not change any more. */
async function settled(look: () => Promise<number>): Promise<number> {
  for (let last = await look(); ; ) {
    await sleep(400);
    const now = await look();
    if (now === last) return now;
    last = now;
  }
}

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
