/** One exec of the engine: created, started over a connection of its own, followed to its exit code. */
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Duplex } from "node:stream";
import { isApiVersion } from "../../docker-api/api-version.ts";
import { EngineError } from "../../docker-api/engine-error.ts";
import type { IdAnswer } from "../../docker-api/containers.ts";
import type { ExecCreateBody, ExecInspect } from "../../docker-api/exec.ts";
import { BerthError } from "../../errors.ts";
import type { ExecProcessOptions } from "../../runtime/extras.ts";
import { type ContainerId, containerIdToString, nativeName } from "../../spec/container-id.ts";
import type { DockerContext } from "./context.ts";
import { DemultiplexedOutput } from "./demultiplexed.ts";
import { isNotRunning } from "./lifecycle.ts";
import { number, text } from "./read.ts";

export interface ExecInstance {
  readonly execId: string;
  readonly engineId: string;
  /** What the container's control group may be called after. */
  readonly groupNames: readonly string[];
  /** Value of a variable that the process hands on to whatever it starts, by which all of it is found. */
  readonly marker: string;
  readonly socket: Duplex;
  readonly output: DemultiplexedOutput;
}

export const markerVariable = "BERTH_EXEC";

/** Starting waits for the engine's shim. */
const startTimeoutMs = 120_000;

export async function startExec(ctx: DockerContext, id: ContainerId, o: ExecProcessOptions): Promise<ExecInstance> {
  if (o.command.length === 0) throw new BerthError("invalid_spec", "the command to exec is empty; give a program and its arguments");
  const marker = randomBytes(12).toString("hex");
  const { execId, engineId } = await ctx.ids.use(id, undefined, async (container) => {
    try {
      const created = await ctx.client.object<IdAnswer>("POST", `/containers/${container.engineId}/exec`, { json: createBody(o, marker) });
      return { execId: text(created.Id) ?? "", engineId: container.engineId };
    } catch (thrown) {
      throw wrongState(id, thrown);
    }
  });
  let socket: Duplex;
  try {
    socket = await ctx.client.upgrade(`/exec/${execId}/start`, {
      json: { Detach: false, Tty: o.tty === true, ...firstSize(ctx, o) },
      timeoutMs: startTimeoutMs,
    });
  } catch (thrown) {
    throw wrongState(id, thrown);
  }
  const channels = (["stdout", "stderr"] as const).filter((channel) => o.tty === true || (channel === "stdout" ? o.attachStdout : o.attachStderr) === true);
  const output = new DemultiplexedOutput(socket, { tty: o.tty === true, where: ctx.client.where, discardUnclaimed: true, channels });
  return { execId, engineId, groupNames: [engineId, `${nativeName(id)}.`], marker, socket, output };
}

/** Podman has names of its own for it. */
function firstSize(ctx: DockerContext, { size }: ExecProcessOptions): object {
  if (size === undefined) return {};
  if (ctx.facts.isPodman) return { h: size.rows, w: size.cols };
  return isApiVersion(ctx.facts.apiVersion, "1.42") ? { ConsoleSize: [size.rows, size.cols] } : {};
}

function createBody(o: ExecProcessOptions, marker: string): ExecCreateBody {
  const env = [...(o.env ?? []), `${markerVariable}=${marker}`];
  return {
    Cmd: o.command,
    // Always attached: an error of the start comes that way, and so does the end.
    AttachStdout: true,
    AttachStderr: true,
    ...(o.attachStdin === true ? { AttachStdin: true } : {}),
    ...(o.tty === true ? { Tty: true } : {}),
    Env: env,
    ...(o.user === undefined ? {} : { User: o.user }),
    ...(o.workingDir === undefined ? {} : { WorkingDir: o.workingDir }),
    ...(o.privileged === true ? { Privileged: true } : {}),
  };
}

function wrongState(id: ContainerId, thrown: unknown): unknown {
  if (!isNotRunning(thrown) && !(thrown instanceof EngineError && /is paused|is restarting/i.test(thrown.engineMessage))) return thrown;
  const container = containerIdToString(id);
  return new BerthError("conflict", `container ${container} is not running, or paused: nothing can be run in it`, { container, cause: thrown });
}

export interface ExecReport {
  readonly running: boolean;
  readonly exitCode: number | undefined;
  /** On the engine's host; `undefined` before the start, or when the start failed. */
  readonly pid: number | undefined;
}

/** `undefined` = the engine knows nothing of it any more: its container is gone. */
export async function inspectExec(ctx: DockerContext, { execId }: Pick<ExecInstance, "execId">): Promise<ExecReport | undefined> {
  try {
    const found = await ctx.client.object<ExecInspect>("GET", `/exec/${execId}/json`);
    const pid = number(found.Pid);
    // Podman has an exit code of 0 from the beginning on.
    const isOpen = ctx.facts.isPodman && found.CanRemove !== true;
    return { running: found.Running === true, exitCode: isOpen ? undefined : number(found.ExitCode), pid: pid === undefined || pid <= 0 ? undefined : pid };
  } catch (thrown) {
    if (thrown instanceof EngineError && (thrown.status === 404 || thrown.status === 409)) return undefined;
    throw thrown;
  }
}

/** Older engines say 126 for whatever could not be started (contract A-13). */
function startCode(code: number, said: string): number {
  if (code !== 126 && code !== 128) return code;
  if (/no such file or directory|executable file not found|not found in \$PATH/i.test(said)) return 127;
  return /permission denied/i.test(said) ? 126 : code;
}

/** A program may close its output and run on: its end is asked for ever less often. */
const [firstPollMs, lastPollMs] = [5, 500];

/** After the output has ended. A container that dies meanwhile ends its execs with 137. */
export async function execExitCode(ctx: DockerContext, exec: ExecInstance): Promise<number> {
  await exec.output.ended;
  for (let waitMs = firstPollMs; ; waitMs = Math.min(lastPollMs, waitMs * 2)) {
    const report = await inspectExec(ctx, exec);
    if (report === undefined) return 137;
    if (!report.running && report.exitCode !== undefined) return report.pid === undefined ? startCode(report.exitCode, exec.output.head) : report.exitCode;
    await delay(waitMs);
  }
}
