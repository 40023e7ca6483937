/**
 * Ends an exec'd process: Docker's API has no call for that. On the engine's own host the processes are signalled from here;
 * else a shell inside the container finds them by a variable they all carry.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { IdAnswer } from "../../docker-api/containers.ts";
import { EngineError } from "../../docker-api/engine-error.ts";
import { parseSignal } from "../../spec/signals.ts";
import type { DockerContext } from "./context.ts";
import { type ExecInstance, inspectExec, markerVariable } from "./exec-instance.ts";
import { belongsToContainer, markedProcesses, processTree, signalAll } from "./process-tree.ts";
import { text } from "./read.ts";

/** How long the engine may take to name a process it has begun to start. */
const pidPatienceMs = 5_000;
const rounds = 20;

export async function killExec(ctx: DockerContext, exec: ExecInstance, signal: string): Promise<void> {
  const value = parseSignal(signal, { any: true });
  const pid = await pidOfExec(ctx, exec);
  if (pid === undefined) return;
  if (ctx.facts.sharesProcesses) signalFromHere(exec, pid, value);
  else await signalFromInside(ctx, exec, value);
}

/** `undefined` when it has ended, or never ran. */
export async function pidOfExec(ctx: DockerContext, exec: ExecInstance): Promise<number | undefined> {
  const deadline = Date.now() + pidPatienceMs;
  for (;;) {
    const report = await inspectExec(ctx, exec);
    if (report === undefined || (!report.running && report.exitCode !== undefined)) return undefined;
    if (report.pid !== undefined) return report.pid;
    if (Date.now() > deadline) return undefined;
    await delay(10);
  }
}

/** What is killed may have forked in between: until nothing is left. */
function signalFromHere({ groupNames, marker }: ExecInstance, pid: number, signal: number): void {
  if (!belongsToContainer(pid, groupNames)) return;
  for (let round = 0; round < rounds; round++) {
    const pids = new Set([...processTree(pid), ...markedProcesses(`${markerVariable}=${marker}`, groupNames)]);
    const signalled = signalAll([...pids], signal);
    if (signal !== 9 || signalled === 0) return;
  }
}

const script = 'cd /proc && for p in [0-9]*; do if grep -qs "$1" "$p/environ"; then kill "-$2" "$p" 2>/dev/null; fi; done; true';

async function signalFromInside(ctx: DockerContext, exec: ExecInstance, signal: number): Promise<void> {
  const command = ["sh", "-c", script, "sh", `${markerVariable}=${exec.marker}`, String(signal)];
  try {
    const created = await ctx.client.object<IdAnswer>("POST", `/containers/${exec.engineId}/exec`, { json: { Cmd: command, User: "0" } });
    await ctx.client.done("POST", `/exec/${text(created.Id) ?? ""}/start`, { json: { Detach: true } });
  } catch (thrown) {
    // The container has ended, and the process with it; or it holds no shell, of which docs/limits.md speaks.
    if (!(thrown instanceof EngineError)) throw thrown;
    ctx.onWarning(`exec ${exec.execId.slice(0, 12)} could not be signalled: ${thrown.engineMessage}`);
  }
}
