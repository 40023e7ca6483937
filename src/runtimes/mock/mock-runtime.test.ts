import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BerthError } from "../../errors.ts";
import { containerId } from "../../spec/container-id.ts";
import { ManualClock } from "./clock.ts";
import { createMockRuntime } from "./index.ts";
import type { MockRuntime } from "./mock-runtime.ts";

const id = containerId({ service: "web" });
const image = "registry.example/app:1";

async function running(runtime: MockRuntime = createMockRuntime(), argv: readonly string[] = ["server"]): Promise<MockRuntime> {
  runtime.control.addImage(image, { config: { cmd: argv } });
  await runtime.createContainer(id, { image });
  await runtime.startContainer(id);
  return runtime;
}

describe("what a test does to a mock runtime", () => {
  test("a program nobody scripted runs until it is stopped, with the code of the signal", async () => {
    const runtime = await running();
    await runtime.stopContainer(id);
    assert.deepEqual(await runtime.containerState(id), { state: "exited", code: 143 });
  });

  test("failNext makes one call fail and do nothing", async () => {
    const runtime = await running();
    const error = new BerthError("internal", "the engine is gone");
    runtime.control.failNext("stopContainer", error);
    await assert.rejects(runtime.stopContainer(id), error);
    assert.deepEqual(await runtime.containerState(id), { state: "running" });
    await runtime.stopContainer(id);
  });

  test("delayNext holds a call back by the injected clock, and an abort ends the delay", async () => {
    const clock = new ManualClock();
    const runtime = await running(createMockRuntime({ clock }));
    runtime.control.delayNext("containerState", 5000);
    const state = runtime.containerState(id);
    clock.advance(4999);
    assert.equal(await Promise.race([state, Promise.resolve("waiting")]), "waiting");
    clock.advance(1);
    assert.deepEqual(await state, { state: "running" });
    runtime.control.delayNext("containerState", 5000);
    const abort = new AbortController();
    const aborted = runtime.containerState(id, { signal: abort.signal });
    abort.abort(new Error("enough"));
    await assert.rejects(aborted, { message: "enough" });
  });

  test("dropNextStream breaks a stream after some items", async () => {
    const runtime = await running();
    runtime.control.appendLog(id, "a\nb\nc\n");
    runtime.control.dropNextStream("logsStream", 2, new BerthError("internal", "connection lost"));
    const seen: string[] = [];
    const reading = (async () => {
      for await (const chunk of await runtime.logsStream(id, {})) seen.push(Buffer.from(chunk.bytes).toString());
    })();
    await assert.rejects(reading, { code: "internal", message: "connection lost" });
    assert.deepEqual(seen, ["a\n", "b\n"]);
  });

  test("exit ends the main process by code, signal or out-of-memory", async () => {
    const runtime = await running();
    const outcomes = [];
    for (const end of [{ code: 3 }, { signal: "SIGSEGV" }, { oomKilled: true }] as const) {
      await runtime.startContainer(id);
      await runtime.control.exit(id, end);
      const { exitCode, reason, signal } = await runtime.waitOutcome(id);
      outcomes.push([exitCode, reason, signal]);
    }
    assert.deepEqual(outcomes, [
      [3, "exited", undefined],
      [139, "signal", "SIGSEGV"],
      [137, "oom_killed", undefined],
    ]);
    assert.equal((await runtime.inspectDetailed(id)).oomKilled, true);
    await assert.rejects(runtime.control.exit(id, { code: 0 }), { code: "conflict" });
  });

  test("appendLog writes as the main process would, seen by logs and attached clients", async () => {
    const runtime = await running();
    const attached = await runtime.extras?.attachContainer?.(id);
    runtime.control.appendLog(id, "oops\n", "stderr");
    assert.deepEqual(
      (await runtime.getLogs(id)).map(({ stream, message }) => [stream, message]),
      [["stderr", "oops"]],
    );
    for await (const { channel, bytes } of attached?.output ?? []) {
      assert.equal(channel, "stderr");
      assert.equal(Buffer.from(bytes).toString(), "oops\n");
      break;
    }
  });

  test("setStats overrides what statistics say", async () => {
    const runtime = await running();
    runtime.control.setStats(id, { memUsedBytes: 4711, cpuTotalNs: 5_000_000 });
    const stats = await runtime.getContainerStats(id);
    assert.deepEqual([stats.memoryBytes, stats.cpuUsageUsec], [4711, 5000]);
  });

  test("script says what an argv does; unscripted commands are not found", async () => {
    const runtime = await running();
    runtime.control.script(["greet"], { exitCode: 2, stdout: "hello\n", stderr: "psst\n" });
    runtime.control.script(["whoami"], async (process) => {
      await process.write("stdout", `${process.user} in ${process.cwd}`);
      return 0;
    });
    assert.deepEqual(await runtime.exec(id, ["greet"]), { exitCode: 2, stdout: "hello\n", stderr: "psst\n" });
    assert.equal((await runtime.exec(id, ["whoami"], { user: "bob", workingDir: "/srv" })).stdout, "bob in /srv");
    assert.equal((await runtime.exec(id, ["greet", "loudly"])).exitCode, 127);
  });

  test("a script may refuse to start", async () => {
    const runtime = createMockRuntime();
    runtime.control.script(["broken"], { refuse: { exitCode: 126, message: "permission denied" } });
    await assert.rejects(running(runtime, ["broken"]), { code: "start_failed" });
    assert.deepEqual(await runtime.containerState(id), { state: "failed", reason: "permission denied" });
  });

  test("the registry can be filled, taken away and watched", async () => {
    const runtime = createMockRuntime();
    runtime.control.publishImage(image);
    await runtime.pullImage(image);
    await runtime.pullImage(image);
    assert.equal(runtime.control.downloads(image), 1);
    runtime.control.setRegistryReachable(false);
    await assert.rejects(runtime.pullImageWithPolicy(image, "always"), { code: "pull_failed" });
    assert.deepEqual(
      (await runtime.listImages()).map(({ reference }) => reference),
      [image],
    );
  });

  test("foreign containers are listed and never pruned", async () => {
    const runtime = await running();
    runtime.control.addForeignContainer({ runtimeId: "somebody-elses" });
    assert.equal((await runtime.listContainers()).length, 2);
    assert.deepEqual((await runtime.pruneContainers()).deleted, []);
    await runtime.stopContainer(id);
    assert.equal((await runtime.pruneContainers()).deleted.length, 1);
    assert.deepEqual(
      (await runtime.listContainers()).map(({ runtimeId }) => runtimeId),
      ["somebody-elses"],
    );
  });

  test("calls are noted", async () => {
    const runtime = await running();
    await runtime.containerState(id);
    assert.deepEqual(runtime.control.calls, ["createContainer", "startContainer", "containerState"]);
  });
});

test("with the same clock and random source two runs are equal", async () => {
  const run = async (): Promise<unknown> => {
    const runtime = await running(createMockRuntime({ clock: new ManualClock(), random: (size) => new Uint8Array(size) }));
    runtime.control.appendLog(id, "x\n");
    return { inspect: await runtime.inspectDetailed(id), logs: await runtime.getLogs(id), stats: await runtime.getContainerStats(id) };
  };
  assert.deepEqual(await run(), await run());
});

test("time passes only when the clock says so: a stop kills after its timeout", async () => {
  const clock = new ManualClock();
  const runtime = createMockRuntime({ clock });
  runtime.control.script(["stubborn"], (process) => {
    process.trap("SIGTERM", "ignore");
    return new Promise<number>(() => {});
  });
  await running(runtime, ["stubborn"]);
  const stopping = runtime.stopContainer(id, 10_000);
  clock.advance(9_999);
  assert.deepEqual(await runtime.containerState(id), { state: "running" });
  clock.advance(1);
  await stopping;
  assert.deepEqual(await runtime.containerState(id), { state: "exited", code: 137 });
});
