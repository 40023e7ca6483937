/** Methods 39 and 40. Whether a container is paused is the kernel's knowledge, so every engine process sees it, at any time. */
import { BerthError, messageOf } from "../../errors.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { ContainerRecord } from "./container-store.ts";
import { mustGet, type NativeContext, serialised } from "./context.ts";
import { freeze, isFrozen, thaw } from "./freezer.ts";
import { refuseRemoving } from "./remove.ts";
import { isRunning, settle } from "./run-state.ts";

const freezeMs = 10_000;

export function isPaused(record: ContainerRecord): boolean {
  return isRunning(record) && record.run.cgroup !== undefined && isFrozen(record.run.cgroup);
}

/** `conflict` when it is paused, naming what was wanted. */
export function refusePaused(record: ContainerRecord, wanted: string): void {
  if (isPaused(record))
    throw new BerthError("conflict", `cannot ${wanted} container ${record.name}: it is paused; unpause it first`, { container: record.key });
}

export async function pauseContainer(ctx: NativeContext, id: ContainerId): Promise<void> {
  refuseRemoving(ctx, id);
  await serialised(ctx, id, async () => {
    const { record, cgroup } = runningCgroup(ctx, id, "pause");
    if (isFrozen(cgroup)) throw new BerthError("conflict", `container ${record.name} is paused already`, { container: record.key });
    const isDone = await attempt(ctx, record, () => freeze(cgroup, freezeMs));
    if (isDone) return ctx.journal.recordContainer(record, "pause");
    throw new BerthError("timeout", `container ${record.name} does not stand still; a process in it is stuck in the kernel`, { timeoutMs: freezeMs });
  });
}

export async function unpauseContainer(ctx: NativeContext, id: ContainerId): Promise<void> {
  refuseRemoving(ctx, id);
  await serialised(ctx, id, async () => {
    const { record, cgroup } = runningCgroup(ctx, id, "unpause");
    if (!isFrozen(cgroup)) throw new BerthError("conflict", `container ${record.name} is not paused`, { container: record.key });
    const isDone = await attempt(ctx, record, () => thaw(cgroup, freezeMs));
    if (!isDone) throw new BerthError("timeout", `container ${record.name} does not go on`, { timeoutMs: freezeMs });
    ctx.journal.recordContainer(record, "unpause");
  });
}

function runningCgroup(ctx: NativeContext, id: ContainerId, wanted: string): { readonly record: ContainerRecord; readonly cgroup: string } {
  const record = settle(ctx, mustGet(ctx, id));
  const { cgroup } = record.run;
  if (!isRunning(record) || cgroup === undefined) throw notRunning(record, wanted);
  return { record, cgroup };
}

/** The program may end in the middle, and its cgroup goes with it. */
async function attempt(ctx: NativeContext, record: ContainerRecord, work: () => Promise<boolean>): Promise<boolean> {
  try {
    return await work();
  } catch (cause) {
    const now = ctx.store.get(record.key);
    if (now === undefined || !isRunning(settle(ctx, now))) throw notRunning(record, "pause or unpause");
    throw new BerthError("internal", `cannot reach the freezer of container ${record.name}: ${messageOf(cause)}`, { cause });
  }
}

function notRunning(record: ContainerRecord, wanted: string): BerthError {
  return new BerthError("conflict", `cannot ${wanted} container ${record.name}: it is not running`, { container: record.key });
}
