/**
 * 50 clients over four opened runtimes make 2,000 random calls on 20 containers of the native backend, fewer where they take long. Every answer must fit the
 * model of a container's states, nothing may hang, nothing may fail otherwise, and nothing may be left. The seed is printed;
 * BERTH_SEED repeats a run as far as the timing allows.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isBerthError, openRuntime, type Runtime, standaloneId } from "../../src/index.ts";
import { pushDemoImage } from "../support/demo.ts";
import { type RegistryServer, startRegistry } from "../support/registry-server.ts";
import { type Answer, ContainerModel, type Operation } from "../support/state-machine.ts";

const [clients, calls, names] = [50, 2_000, 20];
/** A slow machine makes fewer calls instead of failing; `BERTH_RANDOM_MS` gives it longer. */
const budgetMs = Number(process.env["BERTH_RANDOM_MS"] ?? 100_000);

/** How often each call is chosen, relative to the others. */
const weights: Readonly<Record<Operation, number>> = { create: 4, start: 4, stop: 2, kill: 2, remove: 2, pause: 1, unpause: 1, state: 14, exec: 1 };

let registry: RegistryServer;
let image: string;
let root: string;
const runtimes: Runtime[] = [];

before(async () => {
  registry = await startRegistry();
  image = await pushDemoImage(registry.host);
  root = mkdtempSync(join(tmpdir(), "berth-random-"));
  for (let count = 0; count < 4; count++) runtimes.push(await openRuntime({ backend: "native", root, runDir: join(root, "run") }));
  await runtimes[0]?.pullImage(image);
});

after(async () => {
  for (const runtime of runtimes) await runtime.close();
  await registry.close();
  rmSync(root, { recursive: true, force: true });
});

/** mulberry32 */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function choose(random: () => number): Operation {
  const entries = Object.entries(weights) as [Operation, number][];
  let rest = random() * entries.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [operation, weight] of entries) if ((rest -= weight) < 0) return operation;
  return "state";
}

async function perform(runtime: Runtime, name: string, operation: Operation): Promise<Answer> {
  const id = standaloneId(name);
  switch (operation) {
    case "create":
      await runtime.createContainer(id, { image, networkMode: "none", command: { entrypoint: ["sleep", "100000"], args: [] } });
      return "ok";
    case "start":
      await runtime.startContainer(id);
      return "ok";
    case "stop":
      await runtime.stopContainer(id, 0);
      return "ok";
    case "kill":
      await runtime.killContainer(id);
      return "ok";
    case "remove":
      await runtime.removeContainer(id);
      return "ok";
    case "pause":
      await runtime.pauseContainer(id);
      return "ok";
    case "unpause":
      await runtime.unpauseContainer(id);
      return "ok";
    case "exec":
      await runtime.exec(id, ["true"]);
      return "ok";
    case "state": {
      const { state } = await runtime.containerState(id);
      assert.ok(state !== "failed" && state !== "initializing", `${name} is ${state}`);
      return state;
    }
    default:
      return operation satisfies never;
  }
}

test("random calls of many clients are answered as one container's states allow", { timeout: budgetMs + 300_000 }, async (t) => {
  const seed = Number(process.env["BERTH_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`BERTH_SEED=${seed}`);
  const random = randomFrom(seed);
  const models = new Map(Array.from({ length: names }, (_, index) => [`random${index}`, new ContainerModel()]));
  const all = [...models.keys()];
  const underWay = new Map<number, string>();
  let made = 0;
  const deadline = Date.now() + budgetMs;
  let hasFailed = false;
  const client = async (number: number): Promise<void> => {
    const runtime = runtimes[number % runtimes.length];
    assert.ok(runtime !== undefined);
    while (made < calls && Date.now() < deadline && !t.signal.aborted && !hasFailed) {
      const call = made++;
      const [operation, name] = [choose(random), all[Math.floor(random() * names)] ?? ""];
      const model = models.get(name);
      assert.ok(model !== undefined);
      underWay.set(call, `${operation} ${name}`);
      const token = model.begin(operation);
      let answer: Answer;
      try {
        answer = await perform(runtime, name, operation);
      } catch (error) {
        if (!isBerthError(error, "not_found") && !isBerthError(error, "conflict")) {
          hasFailed = true;
          throw new Error(`BERTH_SEED=${seed}: ${operation} of ${name} failed: ${String(error)}`, { cause: error });
        }
        answer = error.code === "conflict" ? "conflict" : "not_found";
      }
      underWay.delete(call);
      try {
        model.end(token, answer);
      } catch (error) {
        hasFailed = true;
        throw new Error(`BERTH_SEED=${seed}: ${name}: ${String(error)}`, { cause: error });
      }
    }
  };
  t.signal.addEventListener("abort", () => underWay.size > 0 && t.diagnostic(`under way: ${[...underWay.values()].join(", ")}`));
  const ends = await Promise.allSettled(Array.from({ length: clients }, (_, number) => client(number)));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  t.diagnostic(`${made} calls`);
  const [runtime] = runtimes;
  assert.ok(runtime !== undefined);
  for (const { containerId } of await runtime.listContainers()) if (containerId) await runtime.removeContainer(containerId);
  assert.deepEqual(readdirSync(join(root, "containers")), [], "no directory is left");
  assert.deepEqual(readdirSync(join(root, "run", "bundles")), [], "no bundle is left");
  assert.deepEqual(readdirSync(join(root, "run", "oci")), [], "no OCI container is left");
});
