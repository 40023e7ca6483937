/** Method 45. */
import { statSync } from "node:fs";
import { FileLock } from "../../internal/file-lock.ts";
import { sizesOfTrees } from "../../internal/tree-size.ts";
import { isBerthError, messageOf } from "../../errors.ts";
import { matchesLabels } from "../../runtime/label-filter.ts";
import type { ContainerPruneResult } from "../../runtime/types.ts";
import type { ContainerRecord } from "./container-store.ts";
import { type NativeContext, pathsOf } from "./context.ts";
import { removeContainer } from "./remove.ts";
import { isRunning, settle } from "./run-state.ts";

export interface PruneFilter {
  readonly until?: Date | undefined;
  readonly labels?: readonly string[] | undefined;
}

export async function pruneContainers(ctx: NativeContext, filter: PruneFilter, signal: AbortSignal | undefined): Promise<ContainerPruneResult> {
  const chosen = ctx.store.list().filter((record) => isIdle(ctx, record) && matches(record, filter));
  const paths = chosen.map((record) => pathsOf(ctx, record.facts.id));
  const logs = paths.map(({ log }) => statSync(log, { throwIfNoEntry: false })?.size ?? 0);
  const layers = await sizesOfTrees(
    paths.map(({ upper }) => upper),
    signal,
  );
  const deleted: string[] = [];
  let spaceReclaimed = 0;
  for (const [index, record] of chosen.entries()) {
    signal?.throwIfAborted();
    if (!(await removeIdle(ctx, record))) continue;
    deleted.push(record.hexId);
    spaceReclaimed += (layers[index] ?? 0) + (logs[index] ?? 0);
  }
  return { deleted, spaceReclaimed };
}

/** Neither running nor in the hands of a lifecycle call, of this process or another. */
function isIdle(ctx: NativeContext, record: ContainerRecord): boolean {
  if (isRunning(settle(ctx, record)) || ctx.locks.isBusy(record.key) || ctx.removing.has(record.key)) return false;
  using lock = FileLock.tryAcquire(pathsOf(ctx, record.facts.id).lock);
  return lock !== undefined;
}

function matches({ facts }: ContainerRecord, { until, labels = [] }: PruneFilter): boolean {
  return (until === undefined || facts.createdAt < until.getTime()) && matchesLabels(facts.spec.labels, labels);
}

/** `false` when it was started or removed meanwhile, or cannot be removed: that is told and does not stop the others. */
async function removeIdle(ctx: NativeContext, record: ContainerRecord): Promise<boolean> {
  try {
    await removeContainer(ctx, record.facts.id, true, { onlyIf: (now) => !isRunning(now) && now.facts.createdAt === record.facts.createdAt });
    return true;
  } catch (error) {
    if (!isBerthError(error, "not_found") && !isBerthError(error, "conflict")) ctx.onWarning(`prune: ${messageOf(error)}`);
    return false;
  }
}
