/**
 * Opening a state directory: finishes or undoes what a process left half done. Only containers whose lock is free are
 * looked at; the others belong to a process that is alive and at work.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { isBerthError } from "../../errors.ts";
import { FileLock } from "../../internal/file-lock.ts";
import { nativePrefix, parseContainerId } from "../../spec/container-id.ts";
import { recoverMemory } from "../../volumes/memory-mounts.ts";
import type { ContainerRecord } from "./container-store.ts";
import { type NativeContext, pathsOf } from "./context.ts";
import { type ContainerPaths, removedSuffix } from "./layout.ts";
import { isPausedForCommit, resumeAfterCrash } from "./files/commit-call.ts";
import { isRunning, mainProcess, processFromFile, settle, watchProcess } from "./run-state.ts";
import { removeContainer } from "./remove.ts";
import { leaveRunning } from "./networks.ts";
import { superviseRemoval } from "./start.ts";
import { killAll, runCgroup, tearDown, tearDownRun } from "./tear-down.ts";
import { mayExist, mayRun } from "./volume-calls.ts";

export async function recover(ctx: NativeContext): Promise<void> {
  const records = ctx.store.list();
  // First, while the leases of containers that have ended since still say what was changed.
  for (const change of ctx.network.pendingChanges()) await endNetworkChange(ctx, change);
  for (const record of records) await recoverContainer(ctx, record);
  await removeStrayDirectories(ctx, records);
  ctx.network.detachLeftovers({ has: (key) => mayRun(ctx, key) });
  await ctx.network.recoverNames();
  await ctx.volumes.recover((key) => mayExist(ctx, key));
  await recoverMemory(ctx.volumes, (key) => mayRun(ctx, key));
}

async function recoverContainer(ctx: NativeContext, before: ContainerRecord): Promise<void> {
  const record = settle(ctx, before);
  const paths = pathsOf(ctx, record.facts.id);
  const ranAndEnded = record.run.status === "exited" && record.facts.spec.deleteOnExit;
  if (!isRunning(record) && (ranAndEnded || !existsSync(paths.directory))) {
    // Its supervisor died before it could remove it; or, the directory going before the record, in the middle of that.
    await finishRemoval(ctx, record);
    return;
  }
  if (isRunning(record)) {
    watchProcess(ctx, record.key, mainProcess(record.run));
    if (isPausedForCommit(ctx, record)) {
      using lock = await acquireSoon(paths.lock);
      if (lock !== undefined) resumeAfterCrash(ctx, record);
    }
    if (record.facts.spec.deleteOnExit && !ctx.isExitHandler) superviseRemoval(ctx, record.key, paths);
    return;
  }
  if (!hasLeftovers(paths)) return;
  using lock = await acquireSoon(paths.lock);
  if (lock === undefined) return;
  const now = ctx.store.get(record.key);
  if (now === undefined || isRunning(now)) return;
  // A start that was cut off: its program was never acknowledged, so it is ended.
  const main = processFromFile(paths.pidFile);
  if (main !== undefined && !existsSync(paths.exitFile)) await killAll(runCgroup(paths), main, 10_000);
  await tearDownRun(ctx, now);
}

/** A connect that was cut off was never acknowledged and is undone, a disconnect is finished: both end outside the network. */
async function endNetworkChange(ctx: NativeContext, { key, network: name }: { readonly key: string; readonly network: string }): Promise<void> {
  const found = ctx.store.get(key);
  if (found === undefined) return;
  const paths = pathsOf(ctx, found.facts.id);
  using lock = await acquireSoon(paths.lock);
  if (lock === undefined || !ctx.network.pendingChanges().some((change) => change.key === key && change.network === name)) return;
  await leaveRunning(ctx, settle(ctx, found), paths, { name, id: ctx.network.idOf(name) ?? name });
}

/** Unless its remover is alive after all: then the record is gone once the lock is ours. */
async function finishRemoval(ctx: NativeContext, record: ContainerRecord): Promise<void> {
  try {
    await removeContainer(ctx, record.facts.id, false);
  } catch (error) {
    if (!isBerthError(error, "not_found")) throw error;
  }
}

/**
 * The lock of a process that was killed is free, but for some milliseconds when it died between fork and exec of a child.
 * `undefined` when somebody alive holds it.
 */
async function acquireSoon(path: string): Promise<FileLock | undefined> {
  for (let tries = 0; tries < 50; tries += 1) {
    const lock = FileLock.tryAcquire(path);
    if (lock !== undefined) return lock;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return undefined;
}

function hasLeftovers(paths: ContainerPaths): boolean {
  return existsSync(paths.bundle);
}

/** Directories without a record: a create that was never acknowledged, or a removal that was cut off. */
async function removeStrayDirectories(ctx: NativeContext, records: readonly ContainerRecord[]): Promise<void> {
  const known = new Set(records.map((record) => pathsOf(ctx, record.facts.id).ociId));
  for (const entry of readdirSync(ctx.layout.containers)) {
    const ociId = entry.endsWith(removedSuffix) ? entry.slice(0, -removedSuffix.length) : entry;
    const id = parseContainerId(ociId.slice(nativePrefix.length));
    if (known.has(entry) || id === undefined) continue;
    const paths = pathsOf(ctx, id);
    using lock = FileLock.tryAcquire(paths.lock);
    if (lock === undefined) continue;
    rmSync(paths.removed, { recursive: true, force: true });
    if (ctx.store.get(paths.key) !== undefined) continue;
    await tearDown(ctx, paths);
    rmSync(paths.directory, { recursive: true, force: true });
    lock.releaseAndDelete();
  }
}
