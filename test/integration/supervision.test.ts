/** Restarts and health checks while no engine is alive, and what the next one catches up with. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type ContainerId, openRuntime, type Runtime, type ServiceSpec, standaloneId } from "../../src/index.ts";
import { pushDemoImage } from "../support/demo.ts";
import { type RegistryServer, startRegistry } from "../support/registry-server.ts";

let registry: RegistryServer;
let image: string;
let root: string;

before(async () => {
  registry = await startRegistry();
  image = await pushDemoImage(registry.host);
  root = mkdtempSync(join(tmpdir(), "berth-supervision-"));
  await using runtime = await open(false);
  await runtime.pullImage(image);
});

after(async () => {
  {
    await using runtime = await open(false);
    for (const { containerId } of await runtime.listContainers()) if (containerId) await runtime.removeContainer(containerId);
  }
  await eventually("the keeper ended", () => keepers().length === 0);
  await registry.close();
  rmSync(root, { recursive: true, force: true });
});

function open(supervise: boolean): Promise<Runtime> {
  return openRuntime({ backend: "native", root, runDir: join(root, "run"), supervise });
}

async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 600; tries += 1) {
    if (await holds()) return;
    await sleep(50);
  }
  assert.fail(`${what} did not happen`);
}

/** Pids of keepers of this state directory. */
function keepers(): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "latin1");
      // conmon names it too, as what to run after the exit.
      return (
        /\/keeper\.[jt]s$/.test(line.split("\0")[1] ?? "") && line.includes(root) && readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.[0] !== "Z"
      );
    } catch {
      return false;
    }
  });
}

const shell = (script: string, spec: Partial<ServiceSpec> = {}): ServiceSpec => ({
  image,
  networkMode: "none",
  command: { entrypoint: ["/bin/sh", "-c", script], args: [] },
  ...spec,
});

async function start(runtime: Runtime, name: string, spec: ServiceSpec): Promise<ContainerId> {
  const id = standaloneId(name);
  await runtime.createContainer(id, spec);
  await runtime.startContainer(id);
  return id;
}

/** A process that opens the state, starts a container, made from `spec` if given, and is killed then: it hands nothing over. */
async function startAndDie(name: string, spec?: ServiceSpec, afterMs = 0): Promise<ContainerId> {
  const script = `
    import { openRuntime, standaloneId } from ${JSON.stringify(new URL("../../src/index.ts", import.meta.url).href)};
    const runtime = await openRuntime(${JSON.stringify({ backend: "native", root, runDir: join(root, "run") })});
    const id = standaloneId(${JSON.stringify(name)});
    ${spec === undefined ? "" : `await runtime.createContainer(id, ${JSON.stringify(spec)});`}
    await runtime.startContainer(id);
    process.stdout.write("started");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise<void>((resolve) => child.stdout.once("data", () => resolve()));
  await sleep(afterMs);
  child.kill("SIGKILL");
  await new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return standaloneId(name);
}

describe("without an engine alive", () => {
  test("an exit is followed by the restart its policy wants, and the keeper ends afterwards", async () => {
    {
      await using runtime = await open(true);
      const script = 'echo x >> /runs; [ "$(wc -l < /runs)" -ge 3 ] && exec sleep 1000; sleep 1; exit 4';
      await start(runtime, "again", shell(script, { restartPolicy: { kind: "always" } }));
    }
    await using runtime = await open(false);
    const id = standaloneId("again");
    await eventually("two restarts", async () => (await runtime.inspectDetailed(id)).restartCount === 2);
    await eventually("the keeper ended", () => keepers().length === 0);
    assert.deepEqual(await runtime.containerState(id), { state: "running" });
    await runtime.stopContainer(id, 0);
    assert.equal((await runtime.containerState(id)).state, "exited");
    await runtime.removeContainer(id);
  });

  test("also when the engine was killed", async () => {
    const id = await startAndDie("killed", shell("[ -e /ran ] && exec sleep 1000; touch /ran; sleep 1; exit 4", { restartPolicy: { kind: "on_failure" } }));
    await using runtime = await open(false);
    await eventually("a restart", async () => (await runtime.inspectDetailed(id)).restartCount === 1);
    assert.deepEqual(await runtime.containerState(id), { state: "running" });
    await runtime.removeContainer(id);
  });

  test("health is probed on, until the container ends", async () => {
    {
      await using runtime = await open(true);
      const health: ServiceSpec["health"] = {
        interval: 100,
        startGrace: 0,
        retries: 1,
        check: { type: "command", command: "cat /sick 2>/dev/null && exit 1; echo well" },
      };
      await start(runtime, "watched", shell("exec sleep 1000", { health }));
    }
    await using runtime = await open(false);
    const id = standaloneId("watched");
    const status = async (): Promise<string | undefined> => (await runtime.inspectDetailed(id)).health?.status;
    await eventually("it is healthy", async () => (await status()) === "healthy");
    assert.equal(keepers().length, 1);
    await runtime.exec(id, ["sh", "-c", "echo ill > /sick"]);
    await eventually("it is unhealthy", async () => (await status()) === "unhealthy");
    await runtime.removeContainer(id);
    await eventually("the keeper ended", () => keepers().length === 0);
  });

  test("a keeper gives way to nobody and needs nobody: who opens meanwhile does not probe twice", async () => {
    {
      await using runtime = await open(true);
      const health: ServiceSpec["health"] = { interval: 200, startGrace: 0, check: { type: "command", command: "echo x >> /probes" } };
      await start(runtime, "once", shell("exec sleep 1000", { health }));
    }
    const id = standaloneId("once");
    await using first = await open(true);
    await using second = await open(true);
    const count = async (runtime: Runtime): Promise<number> => Number((await runtime.exec(id, ["sh", "-c", "wc -l < /probes"])).stdout) || 0;
    await eventually("it was probed", async () => (await count(first)) > 2);
    const events = await second.extras?.events?.({ until: new Date(Date.now() + 2_000) });
    assert.ok(events !== undefined);
    let probes = 0;
    for await (const { action } of events) if (action.startsWith("exec_start: /bin/sh -c echo x")) probes += 1;
    assert.ok(probes <= 11, `${probes} probes in two seconds are more than one process makes`);
    await first.removeContainer(id);
  });

  test("an end nobody saw is told once, by whoever comes next, with the time it happened", async () => {
    const id = await startAndDie("unseen", shell("sleep 0.3; exit 7"));
    await sleep(1_500);
    const opened = Date.now();
    await using runtime = await open(false);
    await using other = await open(false);
    assert.deepEqual(await other.containerState(id), { state: "exited", code: 7 });
    const events = await runtime.extras?.events?.({ since: new Date(0), until: new Date() });
    assert.ok(events !== undefined);
    const dies = (await Array.fromAsync(events)).filter(({ action, containerId }) => action === "die" && containerId?.service === id.service);
    assert.equal(dies.length, 1);
    assert.equal(dies[0]?.actor.attributes["exitCode"], "7");
    assert.ok((dies[0]?.time.getTime() ?? opened) < opened, "its time is that of the exit");
    await runtime.removeContainer(id);
  });

  test("killed anywhere in a restart, the next engine goes on, and start and die are told in turn", async () => {
    const id = standaloneId("turns");
    {
      await using runtime = await open(false);
      await runtime.createContainer(id, shell("exit 3", { restartPolicy: { kind: "always", delay: 20 } }));
    }
    for (let point = 0; point < 4; point++) await startAndDie("turns", undefined, 40 + point * 90);
    await using runtime = await open(true);
    const before = (await runtime.inspectDetailed(id)).restartCount ?? 0;
    await eventually("it is restarted", async () => ((await runtime.inspectDetailed(id)).restartCount ?? 0) > before);
    await runtime.removeContainer(id);
    const events = await runtime.extras?.events?.({ since: new Date(0), until: new Date() });
    assert.ok(events !== undefined);
    const own = (await Array.fromAsync(events)).filter(({ containerId }) => containerId?.service === id.service);
    const turns = own.map(({ action }) => action).filter((action) => action === "start" || action === "die");
    turns.forEach((action, index) => assert.equal(action, index % 2 === 0 ? "start" : "die", `in turn: ${turns.join(" ")}`));
  });

  test("a rotation that was cut off is finished by who leads next, and no line is lost", async () => {
    const id = standaloneId("rotated");
    await using runtime = await open(false);
    await runtime.createContainer(id, shell("seq 1 100; while [ ! -e /go ]; do sleep 0.05; done; seq 101 200; exec sleep 1000"));
    await runtime.startContainer(id);
    const text = async (): Promise<string> => (await runtime.getLogs(id)).map(({ message }) => message).join(" ");
    await eventually("it has written", async () => (await text()).endsWith("100"));
    const log = join(root, "containers", "berth-standalone-rotated-rep-0", "container.log");
    renameSync(log, `${log}.1`);
    await runtime.exec(id, ["touch", "/go"]);
    await using _leader = await open(true);
    await eventually("there is a new file", () => existsSync(log));
    await eventually("all is there", async () => (await text()).endsWith("200"));
    assert.equal(await text(), Array.from({ length: 200 }, (_, index) => `${index + 1}`).join(" "));
    await runtime.removeContainer(id);
  });
});
