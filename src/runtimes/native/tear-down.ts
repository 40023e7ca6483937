/** Takes away what a run leaves on the host. Every step may be repeated, so a crash in the middle is made good by doing it again. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isAlive, openProcess, type ProcessIdentity } from "../../internal/process-identity.ts";
import { MNT_DETACH, unmount } from "../../internal/libc.ts";
import { runToEnd } from "../../internal/spawn.ts";
import { deleteCommand } from "../../oci/runtime-command.ts";
import { unmountMemory } from "../../volumes/memory-mounts.ts";
import { cgroupPath, cgroupProcesses, killCgroup, removeCgroup } from "./cgroup.ts";
import type { ContainerRecord } from "./container-store.ts";
import { type NativeContext, pathsOf } from "./context.ts";
import type { ContainerPaths } from "./layout.ts";
import { processFromFile } from "./run-state.ts";

/** How long conmon may take to drain the log, write the exit file and delete the OCI container. */
const monitorGraceMs = 10_000;

/** After a run ended: waits for conmon, then releases mount, network and bundle. One at a time per container. */
export function tearDownRun(ctx: NativeContext, record: ContainerRecord): Promise<void> {
  const underWay = ctx.tearDowns.get(record.key);
  if (underWay !== undefined) return underWay;
  const work = tearDown(ctx, pathsOf(ctx, record.facts.id), record.facts.spec.cgroupParent).finally(() => ctx.tearDowns.delete(record.key));
  ctx.tearDowns.set(record.key, work);
  return work;
}

export async function tearDown(ctx: NativeContext, paths: ContainerPaths, cgroupParent: string | undefined): Promise<void> {
  const monitor = processFromFile(paths.monitorPidFile);
  const released = ctx.network.release(paths.key);
  unmount(paths.merged, MNT_DETACH);
  unmount(paths.sharedMemory, MNT_DETACH);
  if (monitor !== undefined && !ctx.isExitHandler) await processEnd(monitor, monitorGraceMs);
  await deleteOciContainer(ctx, paths, cgroupParent);
  await released;
  await unmountMemory(ctx.volumes, paths.key);
  rmSync(paths.bundle, { recursive: true, force: true });
}

/** conmon deletes the OCI container when it ends; this is for when conmon could not. */
async function deleteOciContainer(ctx: NativeContext, paths: ContainerPaths, cgroupParent: string | undefined): Promise<void> {
  if (existsSync(join(ctx.layout.oci, paths.ociId))) {
    const { program, args } = deleteCommand(ctx.oci, paths.ociId, { force: true });
    await runToEnd(program, args);
    rmSync(join(ctx.layout.oci, paths.ociId), { recursive: true, force: true });
  }
  const cgroup = cgroupPath(paths.ociId, cgroupParent);
  removeCgroup(cgroup);
}

/** Ends everything a container runs, without asking it. Answers once nothing is left, or `false` after `timeoutMs`. */
export async function killAll(paths: ContainerPaths, cgroupParent: string | undefined, main: ProcessIdentity | undefined, timeoutMs: number): Promise<boolean> {
  const cgroup = cgroupPath(paths.ociId, cgroupParent);
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    killCgroup(cgroup);
    if (main !== undefined) signalProcess(main, 9);
    if (!isAlive(main) && cgroupProcesses(cgroup).length === 0) return true;
    const left = deadline - Date.now();
    if (left <= 0) return false;
    if (main !== undefined && isAlive(main)) await processEnd(main, Math.min(left, 200));
    else await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** `false` when the process is gone. */
export function signalProcess(process: ProcessIdentity, signal: number): boolean {
  using descriptor = openProcess(process);
  return descriptor?.signal(signal) ?? false;
}

/** `true` once the process ended. */
export async function processEnd(process: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  using descriptor = openProcess(process);
  return descriptor === undefined || (await descriptor.ended(timeoutMs));
}
