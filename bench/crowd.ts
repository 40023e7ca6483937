/** Two engines with 200 containers each, 100 of them running: what that costs the process of the engine. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { serveRoots, startBerthServe } from "./berth-serve.ts";
import type { Side, Sides } from "./contests.ts";
import { dockerCreate, dockerPull, dockerRemoveAll, dockerStart, sleeping } from "./docker-work.ts";
import { startDockerd } from "./dockerd.ts";
import type { EngineProcess } from "./engine-process.ts";
import { inLanes } from "./lanes.ts";
import { treeRss } from "./memory.ts";
import type { Scope } from "./scope.ts";
import type { Stage } from "./stage.ts";
import { timed } from "./timing.ts";

export const crowdSize = 200;
export const crowdRunning = 100;
const settleMs = 2_000;

export interface Crowd {
  readonly berth: EngineProcess;
  readonly dockerd: EngineProcess;
  /** For Berth as a library on the same containers. */
  readonly roots: { readonly root: string; readonly runDir: string };
}

/** Both engines keep their containers while they are restarted. */
export async function makeCrowd(dir: string, scope: Scope, image: string): Promise<Crowd> {
  const [ours, theirs] = [join(dir, "crowd"), join(dir, "crowd-dockerd")];
  const berth = await startBerthServe(ours);
  scope.defer(() => berth.stop());
  const dockerd = await startDockerd(theirs, { keepsContainers: true });
  scope.defer(() => dockerd.stop());
  for (const engine of [berth, dockerd]) {
    scope.defer(() => dockerRemoveAll(engine));
    await dockerPull(engine, image);
    const ids = await inLanes(crowdSize, () => dockerCreate(engine, image, sleeping));
    const toStart = ids.slice(0, crowdRunning);
    await inLanes(crowdRunning, () => dockerStart(engine, toStart.pop() ?? ""));
  }
  return { berth, dockerd, roots: serveRoots(ours) };
}

const listsPerRound = 5;

export function listCrowd(stage: Stage): Promise<Sides> {
  return ofCrowd(stage, (engine) =>
    timed(async () => {
      const listed = await engine.client.call("GET", "/containers/json?all=1");
      if (!Array.isArray(listed) || listed.length !== crowdSize) throw new Error(`not ${crowdSize} containers are listed`);
    }, listsPerRound),
  );
}

/** Megabytes of the engine without its monitors, which idle.rss weighs. */
export function weighWithCrowd(stage: Stage): Promise<Sides> {
  return ofCrowd(stage, (engine) => async () => {
    await delay(settleMs);
    return [treeRss(engine.pid)];
  });
}

/** Milliseconds from the start of the engine to its first answer, with containers that run already. */
export function readyWithCrowd(stage: Stage): Promise<Sides> {
  return ofCrowd(stage, (engine) => async () => {
    await engine.restart();
    return [engine.readyMs];
  });
}

async function ofCrowd(stage: Stage, sideOf: (engine: EngineProcess) => Side): Promise<Sides> {
  const { berth, dockerd } = await stage.crowd();
  return { berth: sideOf(berth), peer: sideOf(dockerd) };
}

/** Milliseconds from the start of an engine without containers to its first answer, and its megabytes two seconds later. */
export function startAlone(stage: Stage): Sides {
  let count = 0;
  const side = (start: (dir: string) => Promise<EngineProcess>): Side => {
    return async () => {
      const dir = join(stage.dir, `alone-${count++}`);
      mkdirSync(dir);
      const engine = await start(dir);
      await delay(settleMs);
      const figures = [engine.readyMs, treeRss(engine.pid)];
      await engine.stop();
      return figures;
    };
  };
  return { berth: side(startBerthServe), peer: side(startDockerd) };
}
