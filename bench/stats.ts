/** The statistics contest: 200 containers sampled once a second, in per cent of one core. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { openRuntime, type Runtime } from "berth";
import { crowdSize } from "./crowd.ts";
import type { Stage } from "./stage.ts";
import { isRecord } from "../src/spec/descriptor.ts";

/** dockerd takes a minute to start so many: it gets an eighth, and its figure counts eight times. */
const dockerdContainers = crowdSize / 8;
const [settleMs, measureMs] = [2_000, 10_000];

/** As a library beside the daemon, so that nothing but the sampling is counted. */
export async function berthStats(stage: Stage): Promise<readonly number[]> {
  const { roots } = await stage.crowd();
  await using runtime = await openRuntime({ backend: "native", ...roots, ociRuntime: "crun" });
  const ids = await allRunning(runtime);
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
  const expected = (crowdSize * measureMs) / 1000;
  if (samples - samplesBefore < expected * 0.8) throw new Error(`berth stats: ${samples - samplesBefore} samples instead of ${expected}`);
  stop.abort();
  await streams;
  return [((user + system) / 1000 / measureMs) * 100];
}

async function allRunning(runtime: Runtime) {
  const listed = await runtime.listContainers();
  const ids = listed.flatMap(({ containerId }) => containerId ?? []);
  for (const { containerId, state } of listed) if (containerId && state?.state !== "running") await runtime.startContainer(containerId);
  return ids;
}

export async function dockerdStats(stage: Stage): Promise<readonly number[]> {
  const { dockerd: engine } = await stage.crowd();
  const listed = await engine.client.call("GET", `/containers/json?limit=${dockerdContainers}&filters={"status":["running"]}`);
  const ids = Array.isArray(listed) ? listed.flatMap((entry) => (isRecord(entry) ? String(entry["Id"]) : [])) : [];
  const streams = await Promise.all(ids.map((id) => engine.client.stream("GET", `/containers/${id}/stats?stream=true`)));
  for (const stream of streams) stream.on("error", () => {}).resume();
  await sleep(settleMs);
  const before = cpuTicks(engine.pid);
  await sleep(measureMs);
  const ticks = cpuTicks(engine.pid) - before;
  for (const stream of streams) stream.destroy();
  return [((ticks * 10) / measureMs) * 100 * (crowdSize / ids.length)];
}

/** User and system time; a tick is 10 ms. */
function cpuTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
