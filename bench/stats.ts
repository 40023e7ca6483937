/** The statistics contest: 200 containers sampled once a second, in per cent of one core. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { berthStartSleeping } from "./berth-work.ts";
import { dockerRemove, dockerStartSleeping } from "./docker-work.ts";
import type { Stage } from "./stage.ts";

const containers = 200;
/** dockerd takes a minute to start so many: it gets an eighth, and its figure counts eight times. */
const dockerdContainers = containers / 8;
const [settleMs, measureMs] = [2_000, 10_000];

export async function berthStats(stage: Stage): Promise<readonly number[]> {
  const [runtime, image] = [await stage.berth(), await stage.busybox()];
  const ids = await inLanes(containers, () => berthStartSleeping(runtime, image));
  const stop = new AbortController();
  let samples = 0;
  const follow = async (id: (typeof ids)[number]): Promise<void> => {
    for await (const _ of await runtime.statsStream(id, { signal: stop.signal })) samples += 1;
  };
  const streams = Promise.allSettled(ids.map(follow));
  await sleep(settleMs);
  const [before, samplesBefore] = [process.cpuUsage(), samples];
  await sleep(measureMs);
  const { user, system } = process.cpuUsage(before);
  const expected = (containers * measureMs) / 1000;
  if (samples - samplesBefore < expected * 0.8) throw new Error(`berth stats: ${samples - samplesBefore} samples instead of ${expected}`);
  stop.abort();
  await streams;
  for (const id of ids) await runtime.removeContainer(id);
  return [((user + system) / 1000 / measureMs) * 100];
}

export async function dockerdStats(stage: Stage): Promise<readonly number[]> {
  const [engine, image] = [await stage.dockerd(), await stage.busybox()];
  const ids = await inLanes(dockerdContainers, () => dockerStartSleeping(engine, image));
  const streams = await Promise.all(ids.map((id) => engine.client.stream("GET", `/containers/${id}/stats?stream=true`)));
  for (const stream of streams) stream.on("error", () => {}).resume();
  await sleep(settleMs);
  const before = cpuTicks(engine.pid);
  await sleep(measureMs);
  const ticks = cpuTicks(engine.pid) - before;
  for (const stream of streams) stream.destroy();
  for (const id of ids) await dockerRemove(engine, id);
  return [((ticks * 10) / measureMs) * 100 * (containers / dockerdContainers)];
}

/** User and system time; a tick is 10 ms. */
function cpuTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

async function inLanes<T>(total: number, make: () => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  let left = total;
  const lane = async (): Promise<void> => {
    while (left-- > 0) made.push(await make());
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
  return made;
}
