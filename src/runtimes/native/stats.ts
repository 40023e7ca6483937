import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { ContainerId } from "../../spec/container-id.ts";
import { containerIdToString } from "../../spec/container-id.ts";
import type { ContainerStats, StatsSample } from "../../runtime/types.ts";
import { type CgroupSample, sampleCgroup } from "./cgroup-sample.ts";
import type { ContainerRecord } from "./container-store.ts";
import { mustGet, type NativeContext, pathsOf } from "./context.ts";
import { isRunning, settle } from "./run-state.ts";

/** Kernel clock ticks are 10 ms on every Linux Node runs on (`USER_HZ`). */
const nsPerTick = 10_000_000;

const nothing: CgroupSample = { cpuNs: 0, memoryBytes: 0, memoryLimitBytes: 0, pids: 0, readBytes: 0, writeBytes: 0 };

/** Method 10. */
export function containerStats(ctx: NativeContext, id: ContainerId): ContainerStats {
  const sample = sampleOf(settle(ctx, mustGet(ctx, id)));
  return {
    cpuUsageUsec: Math.floor(sample.cpuNs / 1000),
    memoryBytes: sample.memoryBytes,
    memoryLimit: sample.memoryLimitBytes === 0 ? undefined : sample.memoryLimitBytes,
    timestamp: new Date(),
    monotonicMs: performance.now(),
  };
}

/** Method 23: on a steady clock; a slow reader gets the newest sample, not a backlog. */
export async function* statsStream(ctx: NativeContext, id: ContainerId, intervalMs: number, stop: AbortSignal): AsyncGenerator<StatsSample> {
  const start = performance.now();
  for (;;) {
    const found = ctx.store.get(containerIdToString(id));
    const record = found && settle(ctx, found);
    if (record === undefined) return;
    yield statsSample(record);
    if (!isRunning(record)) return;
    const elapsed = performance.now() - start;
    if (await endedDuring(ctx, record, intervalMs - (elapsed % intervalMs), stop)) return;
  }
}

/** Sleeps; `true` when the container ended meanwhile. Rejects on abort. */
function endedDuring(ctx: NativeContext, record: ContainerRecord, ms: number, stop: AbortSignal): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const finish = (act: () => void): void => {
      clearTimeout(timer);
      stopListening();
      stop.removeEventListener("abort", onAbort);
      act();
    };
    const onAbort = (): void => finish(() => reject(stop.reason));
    const timer = setTimeout(() => finish(() => resolve(false)), ms);
    const stopListening = ctx.exits.listen(pathsOf(ctx, record.facts.id).ociId, () => {
      const now = ctx.store.get(record.key);
      if (now === undefined || !isRunning(settle(ctx, now))) finish(() => resolve(true));
    });
    if (stop.aborted) onAbort();
    else stop.addEventListener("abort", onAbort);
  });
}

function statsSample(record: ContainerRecord): StatsSample {
  const sample = sampleOf(record);
  const [netRxBytes, netTxBytes] = isRunning(record) && record.run.pid !== undefined ? networkBytes(record.run.pid) : [0, 0];
  return {
    cpuTotalNs: sample.cpuNs,
    cpuSystemNs: hostCpuNs(),
    onlineCpus: availableParallelism(),
    memUsedBytes: sample.memoryBytes,
    memLimitBytes: sample.memoryLimitBytes,
    netRxBytes,
    netTxBytes,
    blkioReadBytes: sample.readBytes,
    blkioWriteBytes: sample.writeBytes,
    pidsCurrent: sample.pids,
    pidsLimit: sample.pidsLimit,
    timestamp: new Date(),
  };
}

function sampleOf(record: ContainerRecord): CgroupSample {
  return isRunning(record) && record.run.cgroup !== undefined ? sampleCgroup(record.run.cgroup) : nothing;
}

function hostCpuNs(): number {
  const fields = readFileSync("/proc/stat", "latin1").split("\n", 1)[0]?.split(/\s+/).slice(1, 9) ?? [];
  return fields.reduce((sum, ticks) => sum + Number(ticks) * nsPerTick, 0);
}

/** Received and sent, over all interfaces but the loopback. */
function networkBytes(pid: number): [number, number] {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/net/dev`, "latin1");
  } catch {
    return [0, 0];
  }
  const rows = [...text.matchAll(/^\s*([^\s:]+):(.*)$/gm)].filter((row) => row[1] !== "lo");
  const columns = rows.map((row) => (row[2] ?? "").trim().split(/\s+/).map(Number));
  return [columns.reduce((sum, row) => sum + (row[0] ?? 0), 0), columns.reduce((sum, row) => sum + (row[8] ?? 0), 0)];
}
