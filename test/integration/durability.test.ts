/** Containers outlive the process that started them; whoever opens the state next sees state, logs and exit codes. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openRuntime, type Runtime, type ServiceSpec, standaloneId } from "../../src/index.ts";
import { pushDemoImage } from "../support/demo.ts";
import { type RegistryServer, startRegistry } from "../support/registry-server.ts";

let registry: RegistryServer;
let image: string;
let root: string;

before(async () => {
  registry = await startRegistry();
  image = await pushDemoImage(registry.host);
  root = mkdtempSync(join(tmpdir(), "berth-durable-"));
  await using runtime = await open();
  await runtime.pullImage(image);
});

after(async () => {
  {
    await using runtime = await open();
    for (const { containerId } of await runtime.listContainers()) if (containerId) await runtime.removeContainer(containerId);
  }
  await registry.close();
  rmSync(root, { recursive: true, force: true });
});

function open(): Promise<Runtime> {
  return openRuntime({ backend: "native", root, runDir: join(root, "run") });
}

/** Creates and starts a container in a process that is then killed without any chance to clean up. */
function startAndDie(name: string, spec: ServiceSpec): void {
  const script = `
    import { openRuntime, standaloneId } from ${JSON.stringify(join(import.meta.dirname, "../../src/index.ts"))};
    const runtime = await openRuntime({ backend: "native", root: ${JSON.stringify(root)}, runDir: ${JSON.stringify(join(root, "run"))} });
    await runtime.createContainer(standaloneId(${JSON.stringify(name)}), ${JSON.stringify(spec)});
    await runtime.startContainer(standaloneId(${JSON.stringify(name)}));
    process.kill(process.pid, "SIGKILL");
  `;
  const done = spawnSync(process.execPath, ["--input-type=module-typescript", "-e", script], { encoding: "utf8" });
  assert.equal(done.signal, "SIGKILL", done.stderr);
}

const sh = (script: string): ServiceSpec => ({ image, command: { entrypoint: ["sh", "-c", script] } });

describe("a container whose engine was killed", () => {
  test("keeps running, and its exit code and log are there for the next engine", async () => {
    const id = standaloneId("survivor");
    startAndDie("survivor", sh("echo before; while [ ! -e /go ]; do sleep 0.02; done; echo after; exit 42"));
    await using runtime = await open();
    assert.deepEqual(await runtime.containerState(id), { state: "running" });
    const waiting = runtime.waitOutcome(id);
    await runtime.exec(id, ["touch", "/go"]);
    const outcome = await waiting;
    assert.equal(outcome.exitCode, 42);
    assert.equal(outcome.reason, "exited");
    assert.deepEqual(
      (await runtime.getLogs(id)).map(({ message }) => message),
      ["before", "after"],
    );
    await runtime.removeContainer(id);
  });

  test("that ended while no engine was alive has its code", async () => {
    const id = standaloneId("ended-alone");
    startAndDie("ended-alone", sh("echo done; exit 7"));
    await sleep(300);
    await using runtime = await open();
    assert.deepEqual(await runtime.containerState(id), { state: "exited", code: 7 });
    assert.equal(await runtime.waitContainer(id), 7);
    assert.deepEqual(
      (await runtime.getLogs(id)).map(({ message }) => message),
      ["done"],
    );
    await runtime.startContainer(id);
    assert.equal(await runtime.waitContainer(id), 7);
    await runtime.removeContainer(id);
  });

  test("with deleteOnExit is removed though no engine is alive", async () => {
    startAndDie("fleeting", { ...sh("sleep 0.5"), lifecycle: { deleteOnExit: true } });
    const gone = (): boolean => !readdirSync(join(root, "containers")).some((entry) => entry.includes("fleeting"));
    for (let tries = 0; tries < 200 && !gone(); tries += 1) await sleep(50);
    assert.ok(gone(), "the container's directory is gone");
    await using runtime = await open();
    await assert.rejects(runtime.containerState(standaloneId("fleeting")), { code: "not_found" });
  });

  test("with deleteOnExit is removed by the next engine when its supervisor died after the exit", async () => {
    startAndDie("orphan", { ...sh("exit 0"), lifecycle: { deleteOnExit: true } });
    await sleep(300);
    await using runtime = await open();
    await assert.rejects(runtime.containerState(standaloneId("orphan")), { code: "not_found" });
  });

  test("can be stopped and removed by another engine while a third one waits", async () => {
    const id = standaloneId("shared");
    startAndDie("shared", sh("trap 'exit 9' TERM; while :; do sleep 0.02; done"));
    await using one = await open();
    await using two = await open();
    const removed = two.waitOutcomeWithCondition(id, "removed");
    const exited = two.waitOutcome(id);
    await one.stopContainer(id, 5000);
    assert.equal((await exited).exitCode, 9);
    await one.removeContainer(id);
    assert.equal((await removed).exitCode, 9);
  });
});
