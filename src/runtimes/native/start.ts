/** Method 4: mount, monitor, network, OCI start, record. Whatever fails on the way undoes all that came before. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { BerthError, isBerthError, messageOf } from "../../errors.ts";
import { FileLock } from "../../internal/file-lock.ts";
import { MNT_DETACH, unmount } from "../../internal/libc.ts";
import { identifyProcess, type ProcessIdentity } from "../../internal/process-identity.ts";
import { runToEnd } from "../../internal/spawn.ts";
import type { PortBinding } from "../../network/types.ts";
import { conmonArgs } from "../../oci/conmon.ts";
import { failureMessage, startCommand, startFailureCode } from "../../oci/runtime-command.ts";
import { type ContainerId, containerIdToString } from "../../spec/container-id.ts";
import { mountSharedMemory, writeBundle } from "./bundle.ts";
import { hastenCgroupMove, newCgroupPath } from "./cgroup.ts";
import type { ContainerRecord, ContainerRun } from "./container-store.ts";
import { mountRoot } from "./create.ts";
import { mustGet, type NativeContext, serialised } from "./context.ts";
import type { ContainerPaths } from "./layout.ts";
import { applyTmpfsModes } from "../../oci/tmpfs-mode.ts";
import { hardLimitBytes, holdLog } from "./log-rotation.ts";
import { startMonitor } from "./monitor.ts";
import { attachEndpoints, planNetwork, recordConnections } from "./container-network.ts";
import { refusePaused } from "./pause.ts";
import { checkPort } from "./port-override.ts";
import { isRunning, processFromFile, settle, watchProcess } from "./run-state.ts";
import { keeperCommand, needsExitKeeper, quote } from "./hand-over.ts";
import { resolveByHost } from "./network-files.ts";
import { withoutNames } from "./network-names.ts";
import { planOf, restartFields } from "./supervised-run.ts";
import { killAll, runCgroup, tearDown, tearDownRun } from "./tear-down.ts";
import { mountVolumes } from "./volume-calls.ts";

export async function startContainer(ctx: NativeContext, id: ContainerId): Promise<void> {
  mustGet(ctx, id);
  if (ctx.removing.has(containerIdToString(id))) throw new BerthError("conflict", `container ${containerIdToString(id)} is being removed`);
  await serialised(ctx, id, async (paths) => {
    const record = settle(ctx, mustGet(ctx, id));
    refusePaused(record, "start");
    if (isRunning(record)) return;
    hastenCgroupMove();
    await tearDownRun(ctx, record);
    await attempt(ctx, record, paths, 0);
  });
}

/** The policy's start, called under the lock of the container. `false` when it failed, or the user stopped it meanwhile. */
export async function restartByPolicy(ctx: NativeContext, record: ContainerRecord, paths: ContainerPaths): Promise<boolean> {
  hastenCgroupMove();
  await tearDownRun(ctx, record);
  await attempt(ctx, record, paths, (record.run.restarts ?? 0) + 1);
  return true;
}

/** `restarts`: how many the policy has made, this one included; 0 for a start of the user. */
async function attempt(ctx: NativeContext, record: ContainerRecord, paths: ContainerPaths, restarts: number): Promise<void> {
  try {
    const created = await createOciContainer(ctx, record, paths);
    watchProcess(ctx, record.key, created.main);
    await connectAttaches(ctx, record.key);
    if (record.facts.spec.deleteOnExit) superviseRemoval(ctx, record.key, paths);
    // Before the program can write its first line: whoever asks for the log since the start misses none.
    const startedAt = Date.now();
    await startOciContainer(ctx, record, paths);
    recordStart(ctx, record, paths, { ...created, restarts, startedAt });
  } catch (cause) {
    await undo(ctx, record, paths);
    throw recordFailure(ctx, record, paths, cause, restarts);
  }
}

interface CreatedContainer {
  /** The container's init: it waits for the OCI start and then becomes the user's program. */
  readonly main: ProcessIdentity;
  readonly ports: readonly PortBinding[] | undefined;
  readonly cgroup: string;
}

async function createOciContainer(ctx: NativeContext, record: ContainerRecord, paths: ContainerPaths): Promise<CreatedContainer> {
  const { spec } = record.facts;
  checkPort(record);
  // The bundle is the intent: where it lies without a running record, a start was cut off and is undone.
  rmSync(paths.bundle, { recursive: true, force: true });
  rmSync(paths.exitFile, { force: true });
  mkdirSync(paths.bundle, { mode: 0o700 });
  mountRoot(ctx, paths, record.imageId);
  mountSharedMemory(spec, paths);
  await mountVolumes(ctx, record);
  const network = planNetwork(ctx, record, paths);
  const cgroup = newCgroupPath(paths.ociId, spec.cgroupParent);
  writeFileSync(paths.cgroupFile, cgroup);
  const bundle = writeBundle(ctx, record, paths, network, cgroup);
  for (const warning of bundle.warnings) ctx.onWarning(`${record.name}: ${warning}`);
  const args = conmonArgs({
    id: paths.ociId,
    bundle: paths.bundle,
    runtime: ctx.oci,
    pidFile: paths.pidFile,
    monitorPidFile: paths.monitorPidFile,
    exitDirectory: ctx.layout.exits,
    logPath: paths.log,
    logSizeMaxBytes: hardLimitBytes(spec.logs),
    tty: spec.tty,
    stdin: spec.stdinOpen,
    // At a terminal a client may detach and another attach; through a pipe the end of the client is the end of the input, unless told otherwise.
    leaveStdinOpen: spec.tty || spec.stdinOnce === false,
    exitCommand: exitCommand(ctx, record, paths),
  });
  const pid = await startMonitor(ctx.conmon, args, paths.bundle);
  holdLog(paths.log);
  const main = identifyProcess(pid);
  if (main === undefined)
    throw new BerthError("start_failed", `the init process of container ${record.name} ended at once`, { reason: "the init process ended at once" });
  attachEndpoints(ctx, network, pid);
  if (!(await ctx.network.namesChanged(network.endpoints))) resolveByHost(ctx, record, paths, network.endpoints);
  applyTmpfsModes(pid, bundle.spec.mounts);
  return { main, ports: network.endpoints.length === 0 ? undefined : network.endpoints.flatMap((endpoint) => endpoint.ports), cgroup };
}

async function connectAttaches(ctx: NativeContext, key: string): Promise<void> {
  const pending = ctx.pendingAttaches.get(key) ?? [];
  ctx.pendingAttaches.delete(key);
  for (const attach of pending) await attach.connect();
}

/**
 * conmon itself deletes the OCI container after the exit, so that this costs no process of ours and needs no engine alive.
 * A `deleteOnExit` container is then removed by the engine that holds its supervisor lock, else by a process of its own.
 */
function exitCommand(ctx: NativeContext, record: ContainerRecord, paths: ContainerPaths): readonly string[] {
  const remove = withoutNames(ctx, record, [ctx.oci.path, "--root", ctx.layout.oci, "delete", "--force", paths.ociId]);
  if (needsExitKeeper(ctx, record)) return keeperCommand(ctx, remove);
  if (!record.facts.spec.deleteOnExit) return remove;
  const handler = [...ctx.exitHandler, record.key];
  const script = 'delete=$1; shift; lock=$1; shift; eval "$delete"; flock -n "$lock" true && exec "$@"';
  return ["/bin/sh", "-c", script, "sh", remove.map(quote).join(" "), paths.supervisorLock, ...handler];
}

async function startOciContainer(ctx: NativeContext, record: ContainerRecord, paths: ContainerPaths): Promise<void> {
  const { program, args } = startCommand(ctx.oci, paths.ociId);
  const done = await runToEnd(program, args);
  if (done.exitCode === 0 || endedBeforeItsStart(done.stderr)) return;
  const reason = failureMessage(done.stderr) || `${program} start ended with ${done.exitCode}`;
  throw new BerthError("start_failed", `cannot start container ${record.name}: ${reason}`, { id: record.key, reason, exitCode: startFailureCode(reason) });
}

function recordStart(
  ctx: NativeContext,
  record: ContainerRecord,
  paths: ContainerPaths,
  o: CreatedContainer & { readonly restarts: number; readonly startedAt: number },
): void {
  const { main, ports, cgroup, restarts, startedAt } = o;
  const monitor = processFromFile(paths.monitorPidFile);
  const run: ContainerRun = {
    status: "running",
    starts: record.run.starts + 1,
    exits: record.run.exits,
    pid: main.pid,
    pidStart: main.startTicks,
    monitorPid: monitor?.pid,
    monitorStart: monitor?.startTicks,
    cgroup,
    startedAt,
    ...(restarts > 0 ? { restarts, restartDelayMs: record.run.restartDelayMs } : {}),
    ...(planOf(ctx, record) === undefined ? {} : { health: { status: "starting", failingStreak: 0 } }),
    hasExitKeeper: needsExitKeeper(ctx, record),
    ports,
  };
  ctx.store.atomically(() => {
    if (restarts > 0 && wasStopped(record, ctx.store.get(record.key))) {
      throw new BerthError("conflict", `container ${record.name} was stopped before its policy started it`);
    }
    ctx.store.setRun(record.key, run);
    recordConnections(ctx, record, "connect");
    ctx.journal.recordVolumes(record, "mount");
    ctx.journal.recordContainer(record, "start");
  });
}

/** The user stopped it while the policy was about to start it. */
function wasStopped(before: ContainerRecord, now: ContainerRecord | undefined): boolean {
  return now?.run.stoppedByUser === true && before.run.stoppedByUser !== true;
}

/**
 * A program may end, and conmon delete the container, before the OCI runtime has tidied up after its own start. The FIFO is
 * only gone once the program was let go.
 */
function endedBeforeItsStart(stderr: string): boolean {
  return /exec\.fifo\b.*no such file/i.test(stderr);
}

/** From now on this engine removes the container after its exit, for as long as this process lives. */
export function superviseRemoval(ctx: NativeContext, key: string, paths: ContainerPaths): void {
  if (ctx.supervised.has(key)) return;
  const lock = FileLock.tryAcquire(paths.supervisorLock);
  if (lock !== undefined) ctx.supervised.set(key, lock);
}

async function undo(ctx: NativeContext, record: ContainerRecord, paths: ContainerPaths): Promise<void> {
  const main = processFromFile(paths.pidFile);
  await killAll(runCgroup(paths), main, 5_000);
  ctx.supervised.get(record.key)?.release();
  ctx.supervised.delete(record.key);
  for (const attach of ctx.pendingAttaches.get(record.key) ?? []) attach.handle.close();
  ctx.pendingAttaches.delete(record.key);
  await tearDown(ctx, paths);
  rmSync(paths.exitFile, { force: true });
  unmount(paths.merged, MNT_DETACH);
}

/** A9: the failed start is remembered with Docker's code; a later start is allowed. */
function recordFailure(ctx: NativeContext, record: ContainerRecord, paths: ContainerPaths, cause: unknown, restarts: number): BerthError {
  if (restarts > 0 && wasStopped(record, ctx.store.get(record.key)) && isBerthError(cause, "conflict")) return cause;
  const isOurs = isBerthError(cause) && cause.fields.id === record.key && cause.message.startsWith("cannot start container");
  const text = isOurs ? (cause.fields.reason ?? cause.message) : messageOf(cause);
  const [program = ""] = record.facts.command;
  // crun says "open executable: Permission denied" and leaves the name out.
  const reason = /executable/.test(text) && !text.includes(program) ? `${program}: ${text}` : text;
  const exitCode = (isBerthError(cause) ? cause.fields.exitCode : undefined) ?? startFailureCode(reason);
  const { starts, exits, restartDelayMs } = record.run;
  ctx.store.updateRun(record.key, (now) => {
    const failed: ContainerRun = { status: "failed", starts, exits, error: reason, exitCode, finishedAt: Date.now() };
    if (restarts === 0) return failed;
    const again = { ...failed, restarts, restartDelayMs, stoppedByUser: now.stoppedByUser };
    return { ...again, ...restartFields(record, again) };
  });
  ctx.exits.announce(paths.ociId);
  return new BerthError("start_failed", `cannot start container ${record.name}: ${reason}`, { id: record.key, reason, exitCode, cause });
}
