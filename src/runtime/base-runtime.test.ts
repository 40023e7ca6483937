import assert from "node:assert/strict";
import { test } from "node:test";
import { UnsupportedError } from "../errors.ts";
import { type ContainerId, containerId } from "../spec/container-id.ts";
import type { PullPolicy } from "../spec/service-spec.ts";
import { BaseRuntime } from "./base-runtime.ts";
import { capabilitiesExcept, type RuntimeMethod, runtimeMethods } from "./capabilities.ts";
import type { ContainerState, ContainerStats, ExecResult, LogEntry } from "./types.ts";

const id = containerId({ service: "web" });

const refused = [
  "execPty renameContainer logsStream statsStream listImages removeImage pruneImages killContainer tagImage",
  "inspectImageNative imageHistory searchImages saveImages loadImages importImage exportContainerFs commitContainer",
  "pauseContainer unpauseContainer updateContainerResources topContainer changesContainer portMappingsContainer",
  "pruneContainers archiveGet archivePut archiveHead",
]
  .join(" ")
  .split(" ");

class Least extends BaseRuntime {
  readonly pulls: string[] = [];

  constructor() {
    super({
      backend: "least",
      capabilities: capabilitiesExcept(Object.fromEntries(refused.map((method) => [method, { support: "unsupported", reason: `no ${method} here` }]))),
    });
  }

  async pullImage(): Promise<void> {}
  async pullImageWithPolicy(image: string, policy: PullPolicy): Promise<void> {
    this.pulls.push(`${image} ${policy}`);
  }
  async createContainer(): Promise<void> {}
  async startContainer(): Promise<void> {}
  async stopContainer(): Promise<void> {}
  async removeContainer(): Promise<void> {}
  async containerState(): Promise<ContainerState> {
    return { state: "pending" };
  }
  async containerLogs(): Promise<readonly LogEntry[]> {
    return [];
  }
  async exec(_id: ContainerId): Promise<ExecResult> {
    return { exitCode: 3, stdout: "out\nput", stderr: "" };
  }
  async getContainerStats(): Promise<ContainerStats> {
    return { cpuUsageUsec: 0, memoryBytes: 0, timestamp: new Date(0), monotonicMs: 0 };
  }
  async waitContainer(): Promise<number> {
    return 143;
  }
  async getLogs(): Promise<readonly LogEntry[]> {
    return [];
  }
  async getContainerPid(): Promise<number | undefined> {
    return undefined;
  }
  async getContainerIp(): Promise<string | undefined> {
    return undefined;
  }
}

/** Calls any method by name with arguments that suit all refused ones. */
function call(runtime: BaseRuntime, method: RuntimeMethod): Promise<unknown> {
  const callable = runtime[method] as (...args: readonly unknown[]) => Promise<unknown>;
  return callable.call(runtime, id, "x", {});
}

test("27 methods reject with unsupported, naming method, backend and reason", async () => {
  assert.equal(refused.length, 27);
  for (const method of runtimeMethods.filter((name) => refused.includes(name))) {
    await assert.rejects(call(new Least(), method), (thrown: unknown) => {
      assert.ok(thrown instanceof UnsupportedError);
      assert.equal(thrown.method, method);
      assert.equal(thrown.backend, "least");
      assert.match(thrown.message, new RegExp(`${method} .* least .* no ${method} here`));
      return true;
    });
  }
});

test("execStream falls back on exec", async () => {
  const events = await Array.fromAsync(await new Least().execStream(id, ["x"]));
  assert.deepEqual(events, [
    { kind: "stdout", data: "out\nput" },
    { kind: "exit", code: 3 },
  ]);
});

test("the waits fall back on waitContainer", async () => {
  assert.deepEqual(await new Least().waitOutcome(id), { exitCode: 143, reason: "exited" });
  assert.deepEqual(await new Least().waitOutcomeWithCondition(id, "next-exit"), { exitCode: 143, reason: "exited" });
});

test("pullImageStream falls back on a pull with policy always", async () => {
  const runtime = new Least();
  const events = await Array.fromAsync(await runtime.pullImageStream("busybox"));
  assert.deepEqual(events.at(-1), { kind: "done", reference: "docker.io/library/busybox:latest" });
  assert.deepEqual(runtime.pulls, ["docker.io/library/busybox:latest always"]);
  await assert.rejects(runtime.pullImageStream("UPPER case"), { code: "invalid_spec" });
});

test("four methods have a neutral answer", async () => {
  const runtime = new Least();
  assert.equal(await runtime.getContainerPortOverride(id), undefined);
  assert.equal(await runtime.syncContainerVolumes(id), undefined);
  assert.deepEqual(await runtime.inspectDetailed(id), { ports: [], networks: [] });
  assert.deepEqual(await runtime.listContainers(), []);
});

test("close may be called twice", async () => {
  const runtime = new Least();
  await runtime.close();
  await runtime[Symbol.asyncDispose]();
});
