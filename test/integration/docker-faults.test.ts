/** The docker backend and engines that do not behave: a typed error within its deadline, nothing hangs, nothing is taken for "not found". */
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { frameHeader } from "../../src/docker-api/multiplexed-stream.ts";
import { BerthError, isBerthError } from "../../src/errors.ts";
import { type RuntimeMethod, runtimeMethods } from "../../src/runtime/capabilities.ts";
import type { DockerRuntime } from "../../src/runtimes/docker/docker-runtime.ts";
import { openDockerRuntime } from "../../src/runtimes/docker/open.ts";
import { containerId } from "../../src/spec/container-id.ts";
import { callWithAnything } from "../../src/testing/call-with-anything.ts";
import { answerLookup, type FakeAnswers, type FakeEngine, startFakeEngine, switchingProtocols } from "../support/fake-engine.ts";

const id = containerId({ service: "fault" });
const image = "127.0.0.1:5000/demo:1";
const deadlineMs = 400;

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
before(() => process.on("unhandledRejection", note));
after(() => process.off("unhandledRejection", note));

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(unhandled.splice(0), [], "no rejection without somebody who hears of it");
});

async function open(answers: FakeAnswers): Promise<{ readonly engine: FakeEngine; readonly runtime: DockerRuntime }> {
  const engine = await startFakeEngine(answers);
  opened.push(engine);
  const runtime = await openDockerRuntime({ endpoint: engine.endpoint, env: {}, answerTimeoutMs: deadlineMs });
  opened.push(runtime);
  return { engine, runtime };
}

/** Whatever a method answers is read to its end. */
async function callToEnd(runtime: DockerRuntime, method: RuntimeMethod): Promise<void> {
  const answer = await callWithAnything(runtime, method, id, image);
  if (typeof answer !== "object" || answer === null) return;
  if (Symbol.asyncIterator in answer) for await (const _ of answer as AsyncIterable<unknown>);
  if ("exit" in answer) await answer.exit;
}

/** Methods that ask an engine nothing it could refuse. */
const quiet: readonly RuntimeMethod[] = ["syncContainerVolumes", "getContainerPortOverride"];

interface Fault {
  readonly name: string;
  readonly answer: (response: ServerResponse) => void;
  /** Methods to which such an answer means success: nothing is read from it. */
  readonly fine?: readonly RuntimeMethod[];
}

const changesOnly: readonly RuntimeMethod[] = [
  "startContainer",
  "stopContainer",
  "removeContainer",
  "killContainer",
  "pauseContainer",
  "unpauseContainer",
  "tagImage",
  "archivePut",
];

const faults: readonly Fault[] = [
  { name: "answers 500 to everything", answer: (response) => response.writeHead(500).end('{"message":"the disk is on fire"}') },
  { name: "answers 500 with a page for people", answer: (response) => response.writeHead(500, { "content-type": "text/html" }).end("<h1>oops</h1>") },
  { name: "closes the connection instead of answering", answer: (response) => void response.socket?.destroy() },
  { name: "answers what is no HTTP", answer: (response) => void response.socket?.end("\u0000\u0001 this is no engine\r\n\r\n") },
  { name: "never answers", answer: () => {} },
  {
    name: "sends its answer byte by byte",
    answer: (response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const drip = setInterval(() => response.write(" "), 20);
      response.once("close", () => clearInterval(drip));
    },
  },
  {
    name: "breaks off in the middle of its JSON",
    answer: (response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
      response.write('{"Id":"abc","State":{"Sta', () => response.socket?.destroy());
    },
  },
  { name: "ends in the middle of its JSON", answer: (response) => response.writeHead(200).end('{"Id":"abc","State":{"Sta'), fine: changesOnly },
  { name: "answers JSON of another kind", answer: (response) => response.writeHead(200).end("[1,2,3]"), fine: changesOnly },
  { name: "answers text", answer: (response) => response.writeHead(200).end("all is well"), fine: changesOnly },
];

/** These read raw bytes, in which no engine can be wrong, or drip for ever as a stream may. */
const rawStreams: readonly RuntimeMethod[] = ["saveImages", "exportContainerFs", "archiveGet"];
const dripStreams: readonly RuntimeMethod[] = [
  ...rawStreams,
  "logsStream",
  "loadImages",
  "pullImageStream",
  "pullImage",
  "pullImageWithPolicy",
  "importImage",
  "containerLogs",
  "getLogs",
];
/** No deadline of ours: they take as long as their content, or as the container runs. */
const patient: readonly RuntimeMethod[] = [
  "waitContainer",
  "waitOutcome",
  "waitOutcomeWithCondition",
  "pruneImages",
  "saveImages",
  "loadImages",
  "importImage",
  "exportContainerFs",
  "commitContainer",
  "archivePut",
];
/** Their own deadlines are minutes: a slow registry or a large container is no fault. */
const slow: readonly RuntimeMethod[] = [
  "createContainer",
  "startContainer",
  "stopContainer",
  "killContainer",
  "removeContainer",
  "exec",
  "execStream",
  "execPty",
  "pullImage",
  "pullImageWithPolicy",
  "pullImageStream",
];

for (const lookupWorks of [true, false]) {
  describe(lookupWorks ? "an engine that finds containers and else" : "an engine that", () => {
    for (const { name, answer, fine = [] } of faults) {
      test(name, async () => {
        const { runtime } = await open({ request: (request, response) => (lookupWorks && answerLookup(request, response) ? undefined : answer(response)) });
        const isHanging = name === "never answers" || name.startsWith("sends its answer");
        const left = [...quiet, ...fine, ...(isHanging ? [...patient, ...slow, ...dripStreams] : [])];
        const methods = runtimeMethods.filter(
          (method) => !left.includes(method) && !(rawStreams.includes(method) && /text|kind|middle of its JSON/.test(name)),
        );
        await Promise.all(
          methods.map(async (method) => {
            const failure = await callToEnd(runtime, method).then(
              () => assert.fail(`${method} succeeded`),
              (thrown: unknown) => thrown,
            );
            assert.ok(failure instanceof BerthError, `${method}: ${String(failure)}`);
            assert.notEqual(failure.code, "not_found", `${method}: ${failure.message}`);
            assert.ok(failure.message.length > 10, `${method}: ${failure.message}`);
          }),
        );
      });
    }
  });
}

describe("what takes long may be ended", () => {
  test("waits and streams of a silent engine by an abort, everything by closing the runtime", async () => {
    const { runtime, engine } = await open({ request: (request, response) => void answerLookup(request, response) });
    const abort = new AbortController();
    const reason = new Error("enough");
    const waiting = [runtime.waitContainer(id, { signal: abort.signal }), runtime.pullImage(image, { signal: abort.signal })];
    const closing = [runtime.waitContainer(id), runtime.commitContainer(id, {}), runtime.startContainer(id)];
    for (const one of [...waiting, ...closing]) one.catch(() => {});
    while (engine.connections() < 4) await new Promise((resolve) => setTimeout(resolve, 5));
    abort.abort(reason);
    for (const one of waiting) await assert.rejects(one, (thrown) => thrown === reason);
    await runtime.close();
    for (const one of closing) await assert.rejects(one, { code: "aborted" });
    await assert.rejects(runtime.listContainers(), { code: "aborted" });
  });
});

describe("an engine that dies in the middle", () => {
  const line = (text: string): Buffer => Buffer.concat([frameHeader("stdout", text.length), Buffer.from(text)]);
  const stamped = "2026-01-02T03:04:05.000000006Z hello\n";

  test("of a log gives what it sent, then an error", async () => {
    const { runtime } = await open({
      request: (request, response) => {
        if (answerLookup(request, response)) return;
        if (!request.url?.includes("/logs")) return void response.writeHead(200).end('{"State":{"Running":true,"Status":"running"},"Config":{"Tty":false}}');
        response.write(line(stamped), () => setTimeout(() => response.socket?.destroy(), 20));
      },
    });
    const seen: string[] = [];
    const reading = (async () => {
      for await (const chunk of await runtime.logsStream(id, { follow: true })) seen.push(Buffer.from(chunk.bytes).toString());
    })();
    await assert.rejects(reading, { code: "internal" });
    assert.deepEqual(seen, ["hello\n"]);
  });

  for (const [what, bytes] of [
    ["a frame that is none", Buffer.from("HTTP is not a frame")],
    ["a frame of four gigabytes", frameHeader("stdout", 0xffff_ffff)],
    ["half a frame", line(stamped).subarray(0, 20)],
    ["an entry without its time", line("no time here\n")],
    ["its own error", Buffer.concat([frameHeader("system", 4), Buffer.from("oops")])],
  ] as const) {
    test(`of a log with ${what} is an error`, async () => {
      const { runtime } = await open({
        request: (request, response) => {
          if (answerLookup(request, response)) return;
          if (request.url?.includes("/logs")) response.end(bytes);
          else response.writeHead(200).end('{"Config":{"Tty":false}}');
        },
      });
      await assert.rejects(runtime.getLogs(id), { code: "internal" });
    });
  }

  const execAnswers = (upgrade: FakeAnswers["upgrade"], report: string): FakeAnswers => ({
    request: (request, response) => {
      if (answerLookup(request, response)) return;
      if (request.method === "POST") response.writeHead(201).end('{"Id":"exec1"}');
      else if (report === "") response.socket?.destroy();
      else response.end(report);
    },
    ...(upgrade === undefined ? {} : { upgrade }),
  });

  test("of an exec is an error, and no exit code", async () => {
    const upgrade: FakeAnswers["upgrade"] = (_request, socket) => {
      socket.write(switchingProtocols);
      socket.write(line("out"), () => setTimeout(() => socket.destroy(), 20));
    };
    const { runtime } = await open(execAnswers(upgrade, ""));
    await assert.rejects(runtime.exec(id, ["true"]), { code: "internal" });
    const warned = await Array.fromAsync(await runtime.execStream(id, ["true"]));
    assert.ok(warned.every((event) => event.kind !== "exit"));
    const handle = await runtime.execPty(id, { command: ["true"], attachStdout: true });
    handle.stream.resume().on("error", () => {});
    await assert.rejects(handle.exit, { code: "internal" });
  });

  test("of an exec with wrong framing is an error", async () => {
    const upgrade: FakeAnswers["upgrade"] = (_request, socket) => {
      socket.write(switchingProtocols);
      socket.end("these are no frames at all");
    };
    const { runtime } = await open(execAnswers(upgrade, '{"Running":false,"ExitCode":0,"Pid":0}'));
    await assert.rejects(runtime.exec(id, ["true"]), { code: "internal", message: /not in frames/ });
  });

  test("of an attach is an error to whoever reads", async () => {
    let gone = false;
    const { runtime, engine } = await open({
      request: (request, response) => (answerLookup(request, response) ? undefined : gone ? void response.socket?.destroy() : void response.end("{}")),
      upgrade: (_request, socket) => socket.write(Buffer.concat([Buffer.from(switchingProtocols), line("out")])),
    });
    const handle = await runtime.extras?.attachContainer?.(id);
    assert.ok(handle !== undefined);
    const output = handle.output[Symbol.asyncIterator]();
    assert.equal(Buffer.from((await output.next()).value?.bytes ?? []).toString(), "out");
    gone = true;
    engine.dropAll();
    await assert.rejects(output.next(), { code: "internal" });
  });

  test("an engine, or a proxy before it, that upgrades nothing is told apart", async () => {
    const { runtime } = await open({
      request: (request, response) => (answerLookup(request, response) ? undefined : void response.writeHead(201).end('{"Id":"exec1"}')),
      upgrade: (_request, socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"),
    });
    await assert.rejects(runtime.exec(id, ["true"]), { code: "internal", message: /upgrade/ });
  });

  test("of pull, load and events is an error after what was sent", async () => {
    const { runtime } = await open({
      request: (_request, response) => {
        response.write('{"status":"Pulling"}\n{"sta', () => setTimeout(() => response.socket?.destroy(), 20));
      },
    });
    await assert.rejects(Array.fromAsync(await runtime.pullImageStream(image)), { code: "internal" });
    await assert.rejects(Array.fromAsync(await runtime.loadImages(new Uint8Array(10), false)), { code: "internal" });
    const events = await runtime.extras?.events?.();
    assert.ok(events !== undefined);
    await assert.rejects(Array.fromAsync(events), { code: "internal" });
  });

  test("a line without end does not fill the memory", async () => {
    const { runtime } = await open({
      request: (_request, response) => {
        const more = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(64 * 1024, 0x20)));
        };
        response.on("drain", more);
        more();
      },
    });
    await assert.rejects(Array.fromAsync(await runtime.pullImageStream(image)), { code: "internal", message: /line of more than/ });
  });

  test("a pull that the engine gives up has failed with its words, and none of it is a not found", async () => {
    const { runtime } = await open({ request: (_request, response) => void response.end('{"error":"x","errorDetail":{"message":"manifest unknown"}}\r\n') });
    const failure = await runtime.pullImageWithPolicy(image, "always").catch((thrown: unknown) => thrown);
    assert.ok(isBerthError(failure, "pull_failed") && /manifest unknown/.test(failure.message));
  });
});

describe("an engine that cannot be opened", () => {
  const dir = mkdtempSync(join(tmpdir(), "berth-fault-"));
  const servers: Server[] = [];
  after(async () => {
    for (const server of servers) await new Promise((resolve) => server.close(resolve));
    rmSync(dir, { recursive: true, force: true });
  });

  async function rawServer(name: string, onConnection: (socket: Socket) => void): Promise<string> {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.resume();
      onConnection(socket);
    });
    servers.push(server);
    const path = join(dir, name);
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return `unix://${path}`;
  }

  test("because nothing is there says how to start it, and is no not found", async () => {
    const missing = `unix://${join(dir, "missing.sock")}`;
    await assert.rejects(openDockerRuntime({ endpoint: missing, env: {} }), {
      code: "internal",
      message: /no engine answers at .*missing\.sock.*is it running/,
    });
    await assert.rejects(openDockerRuntime({ endpoint: "tcp://127.0.0.1:1", env: {} }), {
      code: "internal",
      message: /no engine answers at tcp:\/\/127\.0\.0\.1:1/,
    });
  });

  test("because no usual socket is there, or the name is none, is a matter of configuration", async () => {
    const env = { HOME: dir, XDG_RUNTIME_DIR: dir };
    await assert.rejects(openDockerRuntime({ endpoint: "http//engine", env }), { code: "configuration", message: /http\/\/engine/ });
    await assert.rejects(openDockerRuntime({ env: { ...env, DOCKER_CONTEXT: "none-such" } }), { code: "configuration", message: /none-such/ });
  });

  test("because it speaks something else, or hangs up", async () => {
    const ssh = await rawServer("ssh.sock", (socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"));
    await assert.rejects(openDockerRuntime({ endpoint: ssh, env: {} }), { code: "internal", message: /does not speak HTTP/ });
    const deaf = await rawServer("deaf.sock", (socket) => socket.destroy());
    await assert.rejects(openDockerRuntime({ endpoint: deaf, env: {} }), { code: "internal" });
  });

  test("because its version is too old says so; without a version 1.24 is taken", async () => {
    const old = await startFakeEngine({ apiVersion: "1.22" });
    opened.push(old);
    await assert.rejects(openDockerRuntime({ endpoint: old.endpoint, env: {} }), { code: "configuration", message: /1\.22.*1\.24 or newer/ });
    const odd = await startFakeEngine({ apiVersion: "one" });
    opened.push(odd);
    await assert.rejects(openDockerRuntime({ endpoint: odd.endpoint, env: {} }), { code: "internal", message: /names no API version/ });
    const paths: string[] = [];
    const silent = await startFakeEngine({
      apiVersion: null,
      request: (request, response) => {
        paths.push(request.url ?? "");
        response.end("[]");
      },
    });
    opened.push(silent);
    const runtime = await openDockerRuntime({ endpoint: silent.endpoint, env: {} });
    opened.push(runtime);
    await runtime.listContainers();
    assert.match(paths[0] ?? "", /^\/v1\.24\/containers\/json/);
  });

  test("a newer one is spoken to in the newest version that is known here", async () => {
    const paths: string[] = [];
    const engine = await startFakeEngine({
      apiVersion: "1.99",
      request: (request, response) => {
        paths.push(request.url ?? "");
        response.end("[]");
      },
    });
    opened.push(engine);
    const runtime = await openDockerRuntime({ endpoint: engine.endpoint, env: {} });
    opened.push(runtime);
    await runtime.listImages();
    assert.match(paths[0] ?? "", /^\/v1\.47\/images\/json/);
  });
});
