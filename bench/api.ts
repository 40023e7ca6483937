/** The contests over the socket: one client and the same calls, to `berth serve` and to dockerd. */
import { setTimeout as delay } from "node:timers/promises";
import type { Side, Sides } from "./contests.ts";
import { dockerCreate, dockerExec, dockerRemove, dockerRun, dockerStart, dockerStartSleeping, sleeping } from "./docker-work.ts";
import { engineClient } from "./engine-client.ts";
import type { EngineProcess } from "./engine-process.ts";
import { flooding } from "./floods.ts";
import { inLanes } from "./lanes.ts";
import { pings } from "./pings.ts";
import type { Stage } from "./stage.ts";
import { elapsed, percentile, timed } from "./timing.ts";

/** Makes both sides in the same way. */
export async function overSocket(stage: Stage, sideOf: (engine: EngineProcess, image: string) => Side | Promise<Side>): Promise<Sides> {
  const image = await stage.busybox();
  return { berth: await sideOf(await stage.daemon(), image), peer: await sideOf(await stage.dockerd(), image) };
}

export function runByApi(stage: Stage): Promise<Sides> {
  return overSocket(stage, (engine, image) => timed(() => dockerRun(engine, image, "bridge")));
}

export function execByApi(stage: Stage): Promise<Sides> {
  return overSocket(stage, async (engine, image) => {
    const id = await sleeper(stage, engine, image);
    return timed(() => dockerExec(engine, id));
  });
}

const inspectsPerRound = 100;

export function inspectByApi(stage: Stage): Promise<Sides> {
  return overSocket(stage, async (engine, image) => {
    const id = await sleeper(stage, engine, image);
    return timed(() => engine.client.call("GET", `/containers/${id}/json`), inspectsPerRound);
  });
}

const [pingsPerRound, pingLanes] = [10_000, 8];

/** Milliseconds per 1,000. */
export function pingRate(stage: Stage): Promise<Sides> {
  return overSocket(stage, ({ socket }) => async () => [(await elapsed(() => pings(socket, pingsPerRound, pingLanes))) / (pingsPerRound / 1000)]);
}

const [batches, startsPerBatch, pingEveryMs] = [3, 8, 5];

/** The 99th percentile of single pings while a container floods its log and eight others are being started, three times over. */
export function pingWhileBusy(stage: Stage): Promise<Sides> {
  return overSocket(stage, (engine, image) => async () => {
    const flood = await dockerCreate(engine, image, flooding("forever"));
    const ids = await inLanes(batches * startsPerBatch, () => dockerCreate(engine, image, sleeping));
    await dockerStart(engine, flood);
    const [pinger, over] = [engineClient(engine.socket), new AbortController()];
    const latencies = pingUntil(over.signal, () => pinger.call("GET", "/_ping"));
    for (let batch = 0; batch < batches; batch++) {
      await Promise.all(ids.slice(batch * startsPerBatch, (batch + 1) * startsPerBatch).map((id) => dockerStart(engine, id)));
    }
    over.abort();
    const figure = percentile(await latencies, 0.99);
    pinger.close();
    for (const id of [flood, ...ids]) await dockerRemove(engine, id);
    return [figure];
  });
}

async function pingUntil(over: AbortSignal, ping: () => Promise<unknown>): Promise<readonly number[]> {
  const latencies: number[] = [];
  while (!over.aborted) {
    latencies.push(await elapsed(ping));
    await delay(pingEveryMs);
  }
  return latencies;
}

async function sleeper(stage: Stage, engine: EngineProcess, image: string): Promise<string> {
  const id = await dockerStartSleeping(engine, image);
  stage.scope.defer(() => dockerRemove(engine, id));
  return id;
}
