/** Methods 9, 15 and 16 and `extras.openExec`: from a caller's options to a started exec. */
import { randomBytes } from "node:crypto";
import { BerthError, messageOf } from "../../errors.ts";
import { onAbort } from "../../internal/abort.ts";
import { isEnding, type ProcessIdentity } from "../../internal/process-identity.ts";
import { buildExecProcess } from "../../oci/process-spec.ts";
import { collectExec, execEvents } from "../../runtime/exec-events.ts";
import type { ExecProcess, ExecProcessOptions } from "../../runtime/extras.ts";
import type { ExecCallOptions, ExecEvent, ExecResult } from "../../runtime/types.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import { hastenCgroupMove } from "./cgroup.ts";
import type { ContainerRecord } from "./container-store.ts";
import { mustGet, type NativeContext, pathsOf } from "./context.ts";
import { startExec } from "./exec.ts";
import type { RunningExec } from "./exec-running.ts";
import { ExecGroup } from "./exec-group.ts";
import { assertTimeout, execProcess } from "./exec-process.ts";
import { readBundle } from "./bundle.ts";
import { refusePaused } from "./pause.ts";
import { isRunning, mainProcess, settle } from "./run-state.ts";

const outputOnly = { tty: false, attachStdin: false, attachStdout: true, attachStderr: true } as const;

export async function exec(ctx: NativeContext, id: ContainerId, command: readonly string[], o: ExecCallOptions): Promise<ExecResult> {
  // Without a signal nobody can end it, and it needs no cgroup of its own.
  const running = launch(ctx, id, { ...o, ...outputOnly, command }, { killable: o.signal !== undefined });
  using _ = onAbort(o.signal, () => kill(ctx, running));
  const result = await collectExec({ output: running.output, exit: running.exit });
  o.signal?.throwIfAborted();
  return result;
}

export function execStream(ctx: NativeContext, id: ContainerId, command: readonly string[], o: ExecCallOptions): AsyncIterable<ExecEvent> {
  const running = launch(ctx, id, { ...o, ...outputOnly, command }, { killable: true });
  return execEvents({ output: running.output, exit: running.exit }, { abandon: () => kill(ctx, running), onTrouble: ctx.onWarning, signal: o.signal });
}

/** Method 16, and the handle of `extras.openExec`, which can do more. */
export function openExec(ctx: NativeContext, id: ContainerId, o: ExecProcessOptions, signal: AbortSignal | undefined): ExecProcess {
  assertTimeout(o.timeoutMs);
  const running = launch(ctx, id, { ...o, signal }, { killable: true, watched: true });
  return execProcess(running, { timeoutMs: o.timeoutMs, signal, onWarning: ctx.onWarning });
}

function kill(ctx: NativeContext, running: RunningExec): void {
  running.signal(9).catch((error: unknown) => ctx.onWarning(messageOf(error)));
}

/** Whether the main process has ended or is about to; waits for that a moment. */
async function mainEnds(main: ProcessIdentity | undefined, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (main !== undefined && !isEnding(main)) {
    if (performance.now() >= deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return true;
}

type LaunchOptions = Omit<ExecProcessOptions, "timeoutMs"> & { readonly signal?: AbortSignal | undefined };

function launch(ctx: NativeContext, id: ContainerId, o: LaunchOptions, how: { readonly killable: boolean; readonly watched?: boolean }): RunningExec {
  if (o.command.length === 0) throw new BerthError("invalid_spec", "the command to exec is empty; give a program and its arguments");
  o.signal?.throwIfAborted();
  const record = settle(ctx, mustGet(ctx, id));
  const { pid, cgroup } = record.run;
  if (!isRunning(record) || pid === undefined)
    throw new BerthError("conflict", `container ${record.name} is not running; start it first`, { container: record.key });
  refusePaused(record, "exec in");
  hastenCgroupMove();
  const paths = pathsOf(ctx, id);
  const spec = readBundle(paths);
  const process = buildExecProcess({
    container: spec.process,
    rootfs: `/proc/${pid}/root`,
    command: o.command,
    env: o.env,
    user: o.user,
    workingDir: o.workingDir,
    privileged: o.privileged === true,
    tty: o.tty === true,
    size: o.size,
    hostCapabilities: ctx.host.capabilities,
  });
  const execId = randomBytes(32).toString("hex");
  const name = execId.slice(0, 12);
  const running = startExec({
    oci: ctx.oci,
    ociId: paths.ociId,
    process,
    bundle: paths.bundle,
    name,
    tty: o.tty === true,
    size: o.size,
    stdin: o.attachStdin === true,
    stdout: o.attachStdout === true || o.tty === true,
    stderr: o.attachStderr === true,
    command: o.command,
    unconfined: o.privileged === true && spec.linux.seccomp !== undefined,
    group: how.killable && cgroup !== undefined ? ExecGroup.make(ctx.oci, cgroup, `exec-${name}`) : undefined,
    watched: how.watched === true,
    containerEnding: (withinMs) => mainEnds(mainProcess(record.run), withinMs),
  });
  recordExec(ctx, record, { execId, command: o.command, exit: running.exit });
  return running;
}

function recordExec(ctx: NativeContext, record: ContainerRecord, o: { execId: string; command: readonly string[]; exit: Promise<number> }): void {
  const attributes = { execID: o.execId };
  ctx.store.atomicallyUnsynced(() => {
    for (const action of ["exec_create", "exec_start"]) ctx.journal.recordContainer(record, `${action}: ${o.command.join(" ")}`, attributes);
  });
  const die = (exitCode: number): void => {
    if (!ctx.closed.aborted) ctx.journal.recordContainer(record, "exec_die", { ...attributes, exitCode: String(exitCode) });
  };
  o.exit.then(die, () => {});
}
