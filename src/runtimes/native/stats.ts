import type { ContainerStats, StatsSample } from "../../runtime/types.ts";
import { type ContainerId, containerIdToString } from "../../spec/container-id.ts";
import type { ContainerRecord } from "./container-store.ts";
import { mustGet, type NativeContext, pathsOf } from "./context.ts";
import { isRunning, settle } from "./run-state.ts";
import type { Watched } from "./stats-sampler.ts";
import { isRestartPending } from "./supervised-run.ts";

/** Method 10. */
export function containerStats(ctx: NativeContext, id: ContainerId): ContainerStats {
  using watched = watch(ctx, settle(ctx, mustGet(ctx, id)));
  const sample = watched?.sample() ?? ctx.sampler.zeros();
  return {
    cpuUsageUsec: Math.floor(sample.cpuTotalNs / 1000),
    memoryBytes: sample.memUsedBytes,
    memoryLimit: sample.memLimitBytes === 0 ? undefined : sample.memLimitBytes,
    timestamp: sample.timestamp,
    monotonicMs: performance.now(),
  };
}

/**
 * Method 23: on a steady clock; a slow reader gets the newest sample, not a backlog. Between samples the record is not looked at:
 * the notice of an exit says when that changed.
 */
export async function* statsStream(ctx: NativeContext, id: ContainerId, intervalMs: number, stop: AbortSignal): AsyncGenerator<StatsSample> {
  const first = performance.now();
  let record: ContainerRecord | undefined = settle(ctx, mustGet(ctx, id));
  while (record !== undefined) {
    using watched = watch(ctx, record);
    using pace = new Pace(ctx, record, stop);
    let hasChanged = false;
    while (!hasChanged) {
      yield watched?.sample() ?? ctx.sampler.zeros();
      if (!goesOn(record)) return;
      const passed = Math.floor((performance.now() - first) / intervalMs);
      hasChanged = await pace.until(first + (passed + 1) * intervalMs, stop);
      // Between two runs there is no notice to wait for but that of the next exit.
      if (watched === undefined) break;
    }
    record = sameContainer(ctx, record);
    if (record !== undefined && !goesOn(record)) return;
  }
}

/** Runs, or will again by its policy. */
function goesOn(record: ContainerRecord): boolean {
  return isRunning(record) || isRestartPending(record);
}

function watch(ctx: NativeContext, record: ContainerRecord): Watched | undefined {
  const { cgroup, pid } = record.run;
  return isRunning(record) && cgroup !== undefined ? ctx.sampler.watch(cgroup, pid) : undefined;
}

function sameContainer(ctx: NativeContext, record: ContainerRecord): ContainerRecord | undefined {
  const now = ctx.store.get(containerIdToString(record.facts.id));
  return now?.facts.createdAt === record.facts.createdAt ? settle(ctx, now) : undefined;
}

interface Waiting {
  readonly resolve: (hasChanged: boolean) => void;
  readonly reject: (reason: unknown) => void;
  readonly callOff: () => void;
}

/** Waits for one moment after the other, and hears of the end of the container and of an abort all the while. */
class Pace implements Disposable {
  readonly #ctx: NativeContext;
  readonly #releases: (() => void)[] = [];
  #hasChanged = false;
  #waiting: Waiting | undefined;

  constructor(ctx: NativeContext, record: ContainerRecord, stop: AbortSignal) {
    this.#ctx = ctx;
    const onNotice = (): void => {
      const now = sameContainer(ctx, record);
      if (now !== undefined && isRunning(now) && now.run.starts === record.run.starts) return;
      this.#hasChanged = true;
      this.#wake(({ resolve }) => resolve(true));
    };
    const onAbort = (): void => this.#wake(({ reject }) => reject(stop.reason));
    stop.addEventListener("abort", onAbort);
    this.#releases.push(ctx.exits.listen(pathsOf(ctx, record.facts.id).ociId, onNotice), () => stop.removeEventListener("abort", onAbort));
  }

  /** `true` when the container ended or was removed before. Rejects on abort. */
  until(atMs: number, stop: AbortSignal): Promise<boolean> {
    return new Promise((resolve, reject) => {
      if (stop.aborted) return reject(stop.reason);
      if (this.#hasChanged) return resolve(true);
      const callOff = this.#ctx.sampler.ticks.at(atMs, () => this.#wake((waiting) => waiting.resolve(false)));
      this.#waiting = { resolve, reject, callOff };
    });
  }

  #wake(act: (waiting: Waiting) => void): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.callOff();
    if (waiting !== undefined) act(waiting);
  }

  [Symbol.dispose](): void {
    this.#waiting?.callOff();
    for (const release of this.#releases.splice(0)) release();
  }
}
