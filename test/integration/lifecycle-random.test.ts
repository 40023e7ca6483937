/**
 * 50 clients in four processes make 2,000 random calls on 20 containers of the native backend. Every answer must fit the model of a
 * container's states, nothing may hang, nothing may fail otherwise, and nothing may be left. The seed is printed; BERTH_SEED
 * repeats a run as far as the timing allows.
 */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openRuntime } from "../../src/index.ts";
import { pushDemoImage } from "../support/demo.ts";
import type { LifecycleReply, LifecycleRequest } from "../support/lifecycle-worker.ts";
import { type RegistryServer, startRegistry } from "../support/registry-server.ts";
import { ContainerModel, type Operation } from "../support/state-machine.ts";

const [clients, calls, names] = [50, 2_000, 20];
const workerPath = join(import.meta.dirname, "../support/lifecycle-worker.ts");

/** How often each call is chosen, relative to the others. */
const weights: Readonly<Record<Operation, number>> = {
  ...{ create: 6, start: 6, stop: 3, kill: 2, remove: 3, pause: 2, unpause: 2, exec: 2, commit: 1 },
  ...{ "rename a": 1, "rename b": 1, "update 100": 1, "update 200": 1, inspect: 6, state: 12 },
};

let registry: RegistryServer;
let root: string;
let workers: readonly Worker[];

before(async () => {
  registry = await startRegistry();
  const image = await pushDemoImage(registry.host);
  root = mkdtempSync(join(tmpdir(), "berth-random-"));
  await using runtime = await openRuntime({ backend: "native", root, runDir: join(root, "run") });
  await runtime.pullImage(image);
  workers = await Promise.all(Array.from({ length: 4 }, () => startWorker(image)));
});

after(async () => {
  for (const { end } of workers) await end();
  await registry.close();
  rmSync(root, { recursive: true, force: true });
});

interface Worker {
  ask(request: LifecycleRequest): Promise<LifecycleReply["answer"]>;
  end(): Promise<void>;
}

async function startWorker(image: string): Promise<Worker> {
  const child = fork(workerPath, [root, image]);
  const waiting = new Map<number, PromiseWithResolvers<LifecycleReply["answer"]>>();
  await once(child, "message");
  child.on("message", ({ call, answer }: LifecycleReply) => {
    waiting.get(call)?.resolve(answer);
    waiting.delete(call);
  });
  const ended = once(child, "exit");
  void ended.then(([code]) => {
    for (const { reject } of waiting.values()) reject(new Error(`a process ended with ${code}`));
  });
  return {
    ask: (request) => {
      const reply = Promise.withResolvers<LifecycleReply["answer"]>();
      waiting.set(request.call, reply);
      child.send(request);
      return reply.promise;
    },
    end: async () => {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}

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

test("random calls of many clients are answered as one container's states allow", { timeout: 600_000 }, async (t) => {
  const seed = Number(process.env["BERTH_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`BERTH_SEED=${seed}`);
  const random = randomFrom(seed);
  const models = Array.from({ length: names }, () => new ContainerModel());
  const underWay = new Map<number, string>();
  let made = 0;
  let hasFailed = false;
  const one = async (worker: Worker): Promise<void> => {
    const call = made++;
    const [operation, index] = [choose(random), Math.floor(random() * names)];
    const [model, name] = [models[index], `random${index}`];
    assert.ok(model !== undefined);
    underWay.set(call, `${operation} ${name}`);
    const token = model.begin(operation);
    const answer = await worker.ask({ call, operation, name });
    underWay.delete(call);
    if (typeof answer === "object") throw new Error(`${operation} of ${name} failed: ${answer.error}`);
    model.end(token, answer);
  };
  const client = async (number: number): Promise<void> => {
    const worker = workers[number % workers.length];
    assert.ok(worker !== undefined);
    while (made < calls && !t.signal.aborted && !hasFailed) {
      await one(worker).catch((cause: unknown) => {
        hasFailed = true;
        throw new Error(`BERTH_SEED=${seed}: ${String(cause)}`, { cause });
      });
    }
  };
  t.signal.addEventListener("abort", () => underWay.size > 0 && t.diagnostic(`under way: ${[...underWay.values()].join(", ")}`));
  const ends = await Promise.allSettled(Array.from({ length: clients }, (_, number) => client(number)));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  assert.equal(made, calls);
  await assertNothingIsLeft();
});

async function assertNothingIsLeft(): Promise<void> {
  await using runtime = await openRuntime({ backend: "native", root, runDir: join(root, "run") });
  for (const { containerId } of await runtime.listContainers()) if (containerId) await runtime.removeContainer(containerId);
  assert.deepEqual(readdirSync(join(root, "containers")), [], "no directory is left");
  assert.deepEqual(readdirSync(join(root, "run", "bundles")), [], "no bundle is left");
  assert.deepEqual(readdirSync(join(root, "run", "oci")), [], "no OCI container is left");
}
