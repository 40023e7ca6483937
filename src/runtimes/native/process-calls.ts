/** Methods 9, 15 and 16: from a caller's options to a started exec. */
import { randomBytes } from "node:crypto";
import { BerthError } from "../../errors.ts";
import { onAbort } from "../../internal/abort.ts";
import { isAlive, type ProcessIdentity } from "../../internal/process-identity.ts";
import { buildExecProcess } from "../../oci/process-spec.ts";
import { collectExec, execEvents } from "../../runtime/exec-events.ts";
import type { ExecCallOptions, ExecEvent, ExecOptions, ExecResult } from "../../runtime/types.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import { hastenCgroupMove } from "./cgroup.ts";
import type { ContainerRecord } from "./container-store.ts";
import { mustGet, type NativeContext, pathsOf } from "./context.ts";
import { type RunningExec, startExec } from "./exec.ts";
import { readBundle } from "./bundle.ts";
import { refusePaused } from "./pause.ts";
import { isRunning, mainProcess, settle } from "./run-state.ts";
import { processEnd } from "./tear-down.ts";

const outputOnly = { tty: false, attachStdin: false, attachStdout: true, attachStderr: true } as const;

export async function exec(ctx: NativeContext, id: ContainerId, command: readonly string[], o: ExecCallOptions): Promise<ExecResult> {
  const running = launch(ctx, id, { ...o, ...outputOnly, command });
  using _ = onAbort(o.signal, () => running.kill());
  const result = await collectExec({ output: running.output, exit: running.exit });
  o.signal?.throwIfAborted();
  return result;
}

export function execStream(ctx: NativeContext, id: ContainerId, command: readonly string[], o: ExecCallOptions): AsyncIterable<ExecEvent> {
  const running = launch(ctx, id, { ...o, ...outputOnly, command });
  return execEvents({ output: running.output, exit: running.exit }, { abandon: () => running.kill(), onTrouble: ctx.onWarning, signal: o.signal });
}

export function execPty(ctx: NativeContext, id: ContainerId, o: ExecOptions, signal: AbortSignal | undefined): RunningExec {
  const running = launch(ctx, id, o);
  const listening = onAbort(signal, () => running.kill());
  void running.exit.finally(() => listening[Symbol.dispose]()).catch(() => {});
  return running;
}

async function mainEnds(main: ProcessIdentity | undefined, withinMs: number): Promise<boolean> {
  if (!isAlive(main) || main === undefined) return true;
  return withinMs > 0 && (await processEnd(main, withinMs));
}

function launch(ctx: NativeContext, id: ContainerId, o: ExecOptions & { readonly signal?: AbortSignal | undefined }): RunningExec {
  if (o.command.length === 0) throw new BerthError("invalid_spec", "the command to exec is empty; give a program and its arguments");
  o.signal?.throwIfAborted();
  const record = settle(ctx, mustGet(ctx, id));
  const { pid } = record.run;
  if (!isRunning(record) || pid === undefined)
    throw new BerthError("conflict", `container ${record.name} is not running; start it first`, { container: record.key });
  refusePaused(record, "exec in");
  hastenCgroupMove();
  const paths = pathsOf(ctx, id);
  const process = buildExecProcess({
    container: readBundle(paths).process,
    rootfs: `/proc/${pid}/root`,
    command: o.command,
    env: o.env,
    user: o.user,
    workingDir: o.workingDir,
    privileged: o.privileged === true,
    tty: o.tty === true,
    hostCapabilities: ctx.host.capabilities,
  });
  const name = randomBytes(32).toString("hex");
  const running = startExec({
    oci: ctx.oci,
    ociId: paths.ociId,
    process,
    bundle: paths.bundle,
    name: name.slice(0, 12),
    tty: o.tty === true,
    stdin: o.attachStdin === true,
    stdout: o.attachStdout === true || o.tty === true,
    stderr: o.attachStderr === true,
    command: o.command,
    containerEnds: (withinMs) => mainEnds(mainProcess(record.run), withinMs),
  });
  recordExec(ctx, record, { execId: name, command: o.command, exit: running.exit });
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
