/** Takes away what a run leaves on the host. Every step may be repeated, so a crash in the middle is made good by doing it again. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive, openProcess, type ProcessIdentity } from "../../internal/process-identity.ts";
import { MNT_DETACH, unmount } from "../../internal/libc.ts";
import { runToEnd } from "../../internal/spawn.ts";
import { deleteCommand } from "../../oci/runtime-command.ts";
import { unmountMemory } from "../../volumes/memory-mounts.ts";
import { cgroupProcesses, killCgroup, removeCgroup } from "./cgroup.ts";
import type { ContainerRecord } from "./container-store.ts";
import { type NativeContext, pathsOf } from "./context.ts";
import { requestThaw } from "./freezer.ts";
import type { ContainerPaths } from "./layout.ts";
import { processFromFile } from "./run-state.ts";

/** How long conmon may take to drain the log, write the exit file and delete the OCI container. */
const monitorGraceMs = 10_000;

/** After a run ended: waits for conmon, then releases mount, network and bundle. One at a time per container. */
export function tearDownRun(ctx: NativeContext, record: ContainerRecord): Promise<void> {
  const underWay = ctx.tearDowns.get(record.key);
  if (underWay !== undefined) return underWay;
  const work = tearDown(ctx, pathsOf(ctx, record.facts.id)).finally(() => ctx.tearDowns.delete(record.key));
  ctx.tearDowns.set(record.key, work);
  return work;
}

export async function tearDown(ctx: NativeContext, paths: ContainerPaths): Promise<void> {
  const monitor = processFromFile(paths.monitorPidFile);
  const released = ctx.network.release(paths.key);
  unmount(paths.merged, MNT_DETACH);
  unmount(paths.sharedMemory, MNT_DETACH);
  if (monitor !== undefined && !ctx.isExitHandler) await processEnd(monitor, monitorGraceMs);
  await deleteOciContainer(ctx, paths);
  await released;
  await unmountMemory(ctx.volumes, paths.key);
  rmSync(paths.bundle, { recursive: true, force: true });
}

/** conmon deletes the OCI container when it ends; this is for when conmon could not. */
async function deleteOciContainer(ctx: NativeContext, paths: ContainerPaths): Promise<void> {
  if (existsSync(join(ctx.layout.oci, paths.ociId))) {
    const { program, args } = deleteCommand(ctx.oci, paths.ociId, { force: true });
    await runToEnd(program, args);
    rmSync(join(ctx.layout.oci, paths.ociId), { recursive: true, force: true });
  }
  const cgroup = runCgroup(paths);
  if (cgroup !== undefined) removeCgroup(cgroup);
}

/** The cgroup of the run the bundle was made for; `undefined` when there is no bundle, or none was made yet. */
export function runCgroup(paths: ContainerPaths): string | undefined {
  try {
    return readFileSync(paths.cgroupFile, "utf8") || undefined;
  } catch {
    return undefined;
  }
}

/** Ends everything a container runs, without asking it. Answers once nothing is left, or `false` after `timeoutMs`. */
export async function killAll(cgroup: string | undefined, main: ProcessIdentity | undefined, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    if (cgroup !== undefined) killCgroup(cgroup);
    if (main !== undefined) signalProcess(main, 9);
    // On v1 a frozen process dies only once it is thawed.
    if (cgroup !== undefined) requestThaw(cgroup);
    if (!isAlive(main) && (cgroup === undefined || cgroupProcesses(cgroup).length === 0)) return true;
    const left = deadline - Date.now();
    if (left <= 0) return false;
    if (main !== undefined && isAlive(main)) await processEnd(main, Math.min(left, 200));
    else await sleep(5);
  }
}

/** `false` when the process is gone. */
export function signalProcess(process: ProcessIdentity, signal: number): boolean {
  using descriptor = openProcess(process);
  return descriptor?.signal(signal) ?? false;
}

/**
 * `true` once the process ended. Looks again and again, for what ends in a moment: a poll on its descriptor would hold one of
 * Node's four threads, and enough of them keep the end from being seen.
 */
async function processEnd(process: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (let pauseMs = 1; isAlive(process); pauseMs = Math.min(pauseMs * 2, 20)) {
    if (performance.now() >= deadline) return false;
    await sleep(pauseMs);
  }
  return true;
}
