import { existsSync, renameSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { BerthError, messageOf } from "../../errors.ts";
import { type ContainerId, containerIdToString } from "../../spec/container-id.ts";
import type { ContainerRecord } from "./container-store.ts";
import { mustGet, type NativeContext, notFound, serialised } from "./context.ts";
import { settle } from "./run-state.ts";
import { killForRemoval } from "./stop.ts";
import { tearDownRun } from "./tear-down.ts";

/** `conflict` while its removal is in progress. */
export function refuseRemoving(ctx: NativeContext, id: ContainerId): void {
  const key = containerIdToString(id);
  if (ctx.removing.has(key)) throw new BerthError("conflict", `container ${key} is being removed`, { container: key });
}

/** Method 6. The record goes last: whatever breaks before, the container stays listed and the removal can be repeated. */
export async function removeContainer(
  ctx: NativeContext,
  id: ContainerId,
  keepAnonymousVolumes: boolean,
  o: { /** Asked under the container's lock; `conflict` when it says no. */ readonly onlyIf?: (record: ContainerRecord) => boolean } = {},
): Promise<void> {
  const key = containerIdToString(id);
  const { imageId } = mustGet(ctx, id);
  if (ctx.removing.has(key)) throw new BerthError("conflict", `removal of container ${key} is already in progress`);
  ctx.removing.add(key);
  try {
    await serialised(ctx, id, async (paths, lock) => {
      const record = ctx.store.get(key);
      if (record === undefined) throw notFound(id);
      if (o.onlyIf?.(settle(ctx, record)) === false) throw new BerthError("conflict", `container ${key} is in use`, { container: key });
      await killForRemoval(ctx, record);
      await tearDownRun(ctx, record);
      try {
        // In one step: a removal that is cut off behind it is finished by whoever opens the state next.
        await rm(paths.removed, { recursive: true, force: true });
        if (existsSync(paths.directory)) renameSync(paths.directory, paths.removed);
        await ctx.volumes.release(key, { keepAnonymous: keepAnonymousVolumes });
        await rm(paths.removed, { recursive: true, force: true });
        rmSync(paths.exitFile, { force: true });
      } catch (cause) {
        throw new BerthError("internal", `cannot remove container ${record.name}: ${messageOf(cause)}; remove it again once that is mended`, { cause });
      }
      ctx.store.atomically(() => {
        ctx.store.delete(record);
        ctx.network.leaveAll(key);
        ctx.journal.recordContainer(ctx.store.get(key) ?? record, "destroy");
      });
      ctx.supervised.get(key)?.release();
      ctx.supervised.delete(key);
      for (const attach of ctx.pendingAttaches.get(key) ?? []) attach.handle.close();
      ctx.pendingAttaches.delete(key);
      ctx.processes.get(key)?.close();
      ctx.processes.delete(key);
      if (existsSync(paths.lock)) lock.releaseAndDelete();
      ctx.exits.announce(paths.ociId);
    });
    await ctx.images.removeIfDoomed(imageId).catch((error: unknown) => ctx.onWarning(`cannot free image ${imageId}: ${messageOf(error)}`));
  } finally {
    ctx.removing.delete(key);
  }
}
