/** Methods 10 and 23. */
import type { CpuStats, StatsReport } from "../../docker-api/stats.ts";
import type { Received } from "../../docker-api/received.ts";
import { BerthError, isBerthError } from "../../errors.ts";
import { guardedStream } from "../../runtime/guarded-stream.ts";
import type { ContainerStats, StatsSample } from "../../runtime/types.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { DockerContext } from "./context.ts";
import { isNoSuchContainer } from "./engine-ids.ts";
import { isRunning } from "./inspect.ts";
import { inspectEngine } from "./lifecycle.ts";
import { entries, instant, items, number } from "./read.ts";
import { stateFromInspect } from "./state.ts";

type Report = Received<StatsReport>;

export async function containerStats(ctx: DockerContext, id: ContainerId, signal: AbortSignal | undefined): Promise<ContainerStats> {
  const sample = sampleOf(ctx, await ctx.ids.use(id, signal, ({ engineId }) => report(ctx, engineId, signal)));
  return {
    cpuUsageUsec: Math.floor(sample.cpuTotalNs / 1000),
    memoryBytes: sample.memUsedBytes,
    memoryLimit: sample.memLimitBytes === 0 ? undefined : sample.memLimitBytes,
    timestamp: sample.timestamp,
    monotonicMs: performance.now(),
  };
}

/** `one-shot` spares the engine's second of measuring. */
async function report(ctx: DockerContext, engineId: string, signal: AbortSignal | undefined): Promise<Report> {
  try {
    return await ctx.client.object<StatsReport>("GET", `/containers/${engineId}/stats`, { query: { stream: 0, "one-shot": 1 }, signal });
  } catch (thrown) {
    // Podman has none of a container that does not run, and may find that out behind the head of its answer.
    const isPodmans = ctx.facts.isPodman && isBerthError(thrown, "internal");
    if (isPodmans && !isRunning(await inspectEngine(ctx, engineId, signal))) return {};
    throw thrown;
  }
}

/** Engines send one sample a second; ours come at the caller's pace, so each is asked for. */
export async function statsStream(
  ctx: DockerContext,
  id: ContainerId,
  intervalMs: number,
  signal: AbortSignal | undefined,
): Promise<AsyncIterable<StatsSample>> {
  if (!(intervalMs >= 100)) throw new BerthError("invalid_spec", `the stats interval is ${intervalMs} ms; the shortest is 100 ms`);
  const known = await ctx.ids.use(id, signal, async (container) => ({ engineId: container.engineId, first: await report(ctx, container.engineId, signal) }));
  return guardedStream((stop) => samples(ctx, known.engineId, known.first, intervalMs, stop), signal);
}

/** On a steady clock; a reader who comes late gets the newest sample. */
async function* samples(ctx: DockerContext, engineId: string, first: Report, intervalMs: number, stop: AbortSignal): AsyncGenerator<StatsSample> {
  const start = performance.now();
  yield sampleOf(ctx, first);
  for (let current: Report | undefined = first; current !== undefined; ) {
    if (!isLive(current) && !(await restarts(ctx, engineId, stop))) return;
    await sleep(intervalMs - ((performance.now() - start) % intervalMs), stop);
    current = await nextReport(ctx, engineId, stop);
    if (current !== undefined && isLive(current)) yield sampleOf(ctx, current);
  }
}

async function nextReport(ctx: DockerContext, engineId: string, stop: AbortSignal): Promise<Report | undefined> {
  try {
    return await report(ctx, engineId, stop);
  } catch (thrown) {
    if (isNoSuchContainer(thrown)) return undefined;
    throw thrown;
  }
}

/** Not running, yet about to: between two runs of a restart policy, or started again meanwhile. */
async function restarts(ctx: DockerContext, engineId: string, stop: AbortSignal): Promise<boolean> {
  try {
    const { state } = stateFromInspect((await inspectEngine(ctx, engineId, stop)).State);
    return state === "running" || state === "initializing";
  } catch (thrown) {
    if (isNoSuchContainer(thrown)) return false;
    throw thrown;
  }
}

function sleep(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(stop.reason);
    };
    const timer = setTimeout(() => {
      stop.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    if (stop.aborted) return onAbort();
    stop.addEventListener("abort", onAbort, { once: true });
  });
}

/** A container that does not run has Go's zero time, or no counters. */
function isLive(found: Report): boolean {
  return instant(found.read) !== undefined && (number(found.cpu_stats?.cpu_usage?.total_usage) ?? 0) > 0;
}

function sampleOf(ctx: DockerContext, found: Report): StatsSample {
  const live = isLive(found);
  const limit = live ? (number(found.memory_stats?.limit) ?? 0) : 0;
  const pidsLimit = number(found.pids_stats?.limit);
  const networks = entries(found.networks).filter(([name]) => name !== "lo");
  return {
    cpuTotalNs: live ? (number(found.cpu_stats?.cpu_usage?.total_usage) ?? 0) : 0,
    cpuSystemNs: number(found.cpu_stats?.system_cpu_usage) ?? 0,
    onlineCpus: onlineCpus(ctx, found.cpu_stats),
    memUsedBytes: live ? memoryUsed(found) : 0,
    // Without a limit engines name the host's memory, or a number near 2^63.
    memLimitBytes: limit >= ctx.facts.memoryBytes ? 0 : limit,
    netRxBytes: sum(networks.map(([, counters]) => number(counters?.rx_bytes))),
    netTxBytes: sum(networks.map(([, counters]) => number(counters?.tx_bytes))),
    blkioReadBytes: blkio(found, "read"),
    blkioWriteBytes: blkio(found, "write"),
    pidsCurrent: number(found.pids_stats?.current) ?? 0,
    pidsLimit: pidsLimit === undefined || pidsLimit === 0 || pidsLimit > 1e15 ? undefined : pidsLimit,
    timestamp: instant(found.read) ?? new Date(),
  };
}

function onlineCpus(ctx: DockerContext, cpu: Received<CpuStats> | null | undefined): number {
  const told = number(cpu?.online_cpus) ?? 0;
  const listed = items(cpu?.cpu_usage?.percpu_usage).length;
  return told > 0 ? told : listed > 0 ? listed : ctx.facts.cpus;
}

/** Working set: without the inactive file cache, which has another name in each version of cgroups. */
function memoryUsed(found: Report): number {
  const memory = found.memory_stats;
  const usage = number(memory?.usage) ?? 0;
  const cache = number(memory?.stats?.["total_inactive_file"]) ?? number(memory?.stats?.["inactive_file"]) ?? 0;
  return Math.max(0, usage - cache);
}

function blkio(found: Report, op: string): number {
  const all = items(found.blkio_stats?.io_service_bytes_recursive);
  return sum(all.map((entry) => (entry.op?.toLowerCase() === op ? number(entry.value) : 0)));
}

function sum(values: readonly (number | undefined)[]): number {
  return values.reduce<number>((total, value) => total + (value ?? 0), 0);
}
