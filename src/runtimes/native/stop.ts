import { setTimeout as sleep } from "node:timers/promises";
import { BerthError } from "../../errors.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import { parseSignal } from "../../spec/signals.ts";
import type { ContainerRecord } from "./container-store.ts";
import { mustGet, type NativeContext, pathsOf } from "./context.ts";
import { requestThaw } from "./freezer.ts";
import { isRunning, mainProcess, settle } from "./run-state.ts";
import { isRestartPending } from "./supervised-run.ts";
import { killAll, signalProcess } from "./tear-down.ts";
import { waitFor } from "./wait.ts";

const defaultGraceMs = 10_000;
const killGraceMs = 10_000;

/** Method 5. */
export async function stopContainer(ctx: NativeContext, id: ContainerId, timeoutMs: number | undefined, stopSignal: string | undefined): Promise<void> {
  const record = settle(ctx, mustGet(ctx, id));
  const signal = parseSignal(stopSignal ?? stopSignalOf(ctx, record), { any: true });
  const graceMs = timeoutMs ?? record.facts.spec.stopGracePeriodMs ?? defaultGraceMs;
  if (Number.isNaN(graceMs)) throw new BerthError("invalid_spec", "the stop timeout is not a number");
  // Outside the lock of the container: of two simultaneous stops the shorter deadline wins.
  if (!isRunning(record) && !isRestartPending(record)) return;
  ctx.stopping.add(record.key);
  try {
    markStopped(ctx, record);
    await endRun(ctx, record, signal, graceMs < 0 ? Number.POSITIVE_INFINITY : graceMs);
    ctx.journal.recordContainer(record, "stop");
  } finally {
    ctx.stopping.delete(record.key);
  }
}

/** Signals the main process, waits, kills what is left, and returns when the exit is recorded. */
async function endRun(ctx: NativeContext, record: ContainerRecord, signal: number, graceMs: number): Promise<void> {
  const { id } = record.facts;
  const main = mainProcess(record.run);
  const exited = waitFor(ctx, id, "not-running", undefined);
  if (main !== undefined) {
    const delivered = signalProcess(main, signal);
    // Queued, so a paused program gets it as soon as it goes on.
    thawRun(record);
    recordKill(ctx, record, signal);
    const patience = delivered ? graceMs : Math.min(graceMs, 2_000);
    const ended = patience > 0 && (await isWithin(exited, patience));
    if (!ended) {
      if (signal !== 9 || patience > 0) recordKill(ctx, record, 9);
      await kill(record);
    }
  }
  await exited;
}

/** Suspends the restart policy, also when the run has just ended and is about to be started again. */
function markStopped(ctx: NativeContext, record: ContainerRecord): void {
  let wasPending = false;
  ctx.store.updateRun(record.key, (run) => {
    wasPending = run.restartAt !== undefined;
    return { ...run, stoppedByUser: true, restartAt: undefined };
  });
  if (wasPending) ctx.exits.announce(pathsOf(ctx, record.facts.id).ociId);
}

function recordKill(ctx: NativeContext, record: ContainerRecord, signal: number): void {
  ctx.journal.recordContainer(record, "kill", { signal: String(signal) });
}

/** Holds no thread while it waits, so any number of stops may wait at once. */
async function isWithin(event: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const longestTimerMs = 2 ** 31 - 1;
  if (timeoutMs > longestTimerMs) return event.then(() => true);
  const patience = new AbortController();
  try {
    return await Promise.race([event.then(() => true), sleep(timeoutMs, false, { signal: patience.signal })]);
  } finally {
    patience.abort();
  }
}

function thawRun({ run }: ContainerRecord): void {
  if (run.cgroup !== undefined) requestThaw(run.cgroup);
}

async function kill(record: ContainerRecord): Promise<void> {
  const gone = await killAll(record.run.cgroup, mainProcess(record.run), killGraceMs);
  if (!gone)
    throw new BerthError("timeout", `container ${record.name} does not end on SIGKILL; a process in it is stuck in the kernel`, { timeoutMs: killGraceMs });
}

export function stopSignalOf(ctx: NativeContext, record: ContainerRecord): string {
  return record.facts.spec.stopSignal ?? ctx.images.configOf(record.imageId)?.config.stopSignal ?? "SIGTERM";
}

/** Method 28. */
export async function killContainer(ctx: NativeContext, id: ContainerId, signal: string | undefined, anySignal: boolean): Promise<void> {
  const record = settle(ctx, mustGet(ctx, id));
  const number = parseSignal(signal ?? "SIGKILL", { any: anySignal });
  const main = mainProcess(record.run);
  if (!isRunning(record) || main === undefined) throw new BerthError("conflict", `container ${record.name} is not running`);
  const isStop = number === 9 || number === parseSignal(stopSignalOf(ctx, record), { any: true });
  if (isStop) markStopped(ctx, record);
  if (number !== 9) {
    if (!signalProcess(main, number)) throw new BerthError("conflict", `container ${record.name} is not running`);
    if (isStop) thawRun(record);
    recordKill(ctx, record, number);
    return;
  }
  const exited = waitFor(ctx, id, "not-running", undefined);
  recordKill(ctx, record, number);
  await kill(record);
  await exited;
}

/** Called under the container's lock before a removal. */
export async function killForRemoval(ctx: NativeContext, record: ContainerRecord): Promise<void> {
  const settled = settle(ctx, record);
  if (!isRunning(settled)) return;
  const exited = waitFor(ctx, record.facts.id, "not-running", undefined);
  recordKill(ctx, record, 9);
  await kill(settled);
  await exited;
}
