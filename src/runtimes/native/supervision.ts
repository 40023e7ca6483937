/** What a supervisor needs of the native backend: who leads, what waits for it, and the restarts and health it decides. */
import { isBerthError } from "../../errors.ts";
import { FileLock } from "../../internal/file-lock.ts";
import type { SupervisedContainer, SupervisionFacet } from "../../runtime/extras.ts";
import { resumesAtBoot } from "../../runtime/restart-policy.ts";
import type { HealthDetail } from "../../runtime/types.ts";
import { type ContainerId, containerIdToString, parseContainerId } from "../../spec/container-id.ts";
import type { ContainerRecord } from "./container-store.ts";
import { type NativeContext, serialised } from "./context.ts";
import { leaderLock } from "./hand-over.ts";
import { LogRotator } from "./log-rotator.ts";
import { isRunning, settle } from "./run-state.ts";
import { restartByPolicy } from "./start.ts";
import { healthOf, isRestartPending, planOf } from "./supervised-run.ts";

export function supervisionFacet(ctx: NativeContext): SupervisionFacet {
  return {
    lead: ({ signal }) => lead(ctx, signal),
    list: async () => ctx.store.list().flatMap((record) => supervised(ctx, settle(ctx, record)) ?? []),
    get: async (id) => {
      const record = ctx.store.get(containerIdToString(id));
      return record === undefined ? undefined : supervised(ctx, settle(ctx, record));
    },
    watch: (notify) =>
      ctx.journal.watch((keys) => {
        const ids = keys.flatMap((key) => parseContainerId(key) ?? []);
        if (ids.length > 0) notify(ids);
      }),
    restart: (id, o) => restart(ctx, id, o?.resume === true),
    recordHealth: async (id, run, health) => recordHealth(ctx, id, run, health),
  };
}

const longestPauseMs = 1_000;

/** Looks again and again: a blocked flock(2) would hold a thread of Node's small pool. */
async function lead(ctx: NativeContext, signal: AbortSignal): Promise<AsyncDisposable> {
  for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    signal.throwIfAborted();
    const lock = FileLock.tryAcquire(leaderLock(ctx));
    if (lock !== undefined) return leadership(ctx, lock);
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, pauseMs).unref();
    signal.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    clearTimeout(timer);
  }
}

/** Who leads also looks after the logs. */
function leadership(ctx: NativeContext, lock: FileLock): AsyncDisposable {
  const rotator = new LogRotator(ctx);
  return {
    [Symbol.asyncDispose]: async () => {
      await rotator[Symbol.asyncDispose]();
      lock.release();
    },
  };
}

function supervised(ctx: NativeContext, record: ContainerRecord): SupervisedContainer | undefined {
  const { facts, run } = record;
  const base = { id: facts.id, run: run.starts };
  if (isRunning(record)) {
    const plan = run.health === undefined ? undefined : planOf(ctx, record);
    if (plan === undefined) return undefined;
    const health = { plan, startedAt: new Date(run.startedAt ?? 0), last: healthOf(run) ?? { status: "starting" } };
    return { ...base, resumesAtBoot: false, health };
  }
  const resumes = resumesAtBoot(facts.spec.restartPolicy, { stoppedByUser: run.stoppedByUser === true });
  if (!isRestartPending(record) && !resumes) return undefined;
  return { ...base, restartAt: run.restartAt === undefined ? undefined : new Date(run.restartAt), resumesAtBoot: resumes };
}

function recordHealth(ctx: NativeContext, id: ContainerId, runNumber: number, health: HealthDetail): void {
  ctx.store.atomicallyUnsynced(() => {
    let isNews = false;
    const record = ctx.store.updateRun(containerIdToString(id), (run) => {
      if (run.status !== "running" || run.starts !== runNumber) return undefined;
      isNews = run.health?.status !== health.status;
      return { ...run, health };
    });
    if (record !== undefined && isNews) ctx.journal.recordContainer(record, `health_status: ${health.status}`);
  });
}

/** Under the container's lock: whatever the user did in the meantime has won. */
async function restart(ctx: NativeContext, id: ContainerId, resume: boolean): Promise<boolean> {
  try {
    return await serialised(ctx, id, async (paths) => {
      const found = ctx.store.get(paths.key);
      const record = found && settle(ctx, found);
      if (record === undefined || isRunning(record) || ctx.removing.has(paths.key)) return false;
      if (!(resume && record.run.stoppedByUser === true) && !isRestartPending(record)) return false;
      return await restartByPolicy(ctx, record, paths);
    });
  } catch (error) {
    if (isBerthError(error, "start_failed") || isBerthError(error, "conflict")) return false;
    throw error;
  }
}
