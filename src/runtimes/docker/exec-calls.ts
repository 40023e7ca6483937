/** Methods 9, 15 and 16, and `extras.openExec`. */
import { setTimeout as delay } from "node:timers/promises";
import { onAbort } from "../../internal/abort.ts";
import { BerthError, messageOf } from "../../errors.ts";
import { collectExec, execEvents } from "../../runtime/exec-events.ts";
import type { ExecEnd, ExecProcess, ExecProcessOptions } from "../../runtime/extras.ts";
import type { CallOptions, ExecCallOptions, ExecEvent, ExecHandle, ExecOptions, ExecResult } from "../../runtime/types.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import { signalOfExitCode } from "../../spec/signals.ts";
import type { DockerContext } from "./context.ts";
import { pidOfExec } from "./exec-kill.ts";
import { execDuplex, execResizer, launch, type RunningExec } from "./exec-process.ts";
import { inspectEngine } from "./lifecycle.ts";

const outputOnly = { tty: false, attachStdin: false, attachStdout: true, attachStderr: true } as const;

/** The engine may have started the process by the time of an abort: it is awaited, then killed. */
async function launchWatched(ctx: DockerContext, id: ContainerId, o: ExecProcessOptions, signal: AbortSignal | undefined): Promise<RunningExec> {
  signal?.throwIfAborted();
  const launching = launch(ctx, id, o);
  if (signal === undefined) return await launching;
  const { promise, reject } = Promise.withResolvers<never>();
  using _ = onAbort(signal, (reason) => {
    reject(reason);
    launching.then((running) => quietKill(ctx, running)).catch(() => {});
  });
  return await Promise.race([launching, promise]);
}

/** Kills, and lets go of the connection. */
async function quietKill(ctx: DockerContext, running: RunningExec): Promise<void> {
  try {
    await running.kill();
  } catch (thrown) {
    ctx.onWarning(`an exec could not be killed: ${messageOf(thrown)}`);
  }
  running.instance.output.close();
}

export async function exec(ctx: DockerContext, id: ContainerId, command: readonly string[], o: ExecCallOptions): Promise<ExecResult> {
  const running = await launchWatched(ctx, id, { ...o, ...outputOnly, command }, o.signal);
  let killing: Promise<void> | undefined;
  using _ = onAbort(o.signal, () => (killing = quietKill(ctx, running)));
  try {
    return await collectExec(running);
  } finally {
    await killing;
    o.signal?.throwIfAborted();
  }
}

export async function execStream(ctx: DockerContext, id: ContainerId, command: readonly string[], o: ExecCallOptions): Promise<AsyncIterable<ExecEvent>> {
  const running = await launchWatched(ctx, id, { ...o, ...outputOnly, command }, o.signal);
  return execEvents(running, { abandon: () => void quietKill(ctx, running), onTrouble: ctx.onWarning, signal: o.signal });
}

export async function execPty(ctx: DockerContext, id: ContainerId, o: ExecOptions, signal: AbortSignal | undefined): Promise<ExecHandle> {
  const running = await launchWatched(ctx, id, o, signal);
  const listening = onAbort(signal, () => void quietKill(ctx, running));
  void running.exit.finally(() => listening[Symbol.dispose]()).catch(() => {});
  return handleOf(ctx, running, o);
}

function handleOf(ctx: DockerContext, running: RunningExec, o: ExecOptions): ExecHandle {
  const stream = execDuplex(running, {
    stdin: o.attachStdin === true,
    // A terminal that is hung up says so to its processes, which no engine does.
    onHangUp: () => {
      if (o.tty === true) running.kill("SIGHUP").catch(() => {});
    },
  });
  return {
    stream,
    ...(o.tty === true ? {} : { output: running.output }),
    resize: o.tty === true ? execResizer(ctx, running) : () => {},
    exit: running.exit,
  };
}

export async function openExec(ctx: DockerContext, id: ContainerId, o: ExecProcessOptions, call: CallOptions): Promise<ExecProcess> {
  if (o.timeoutMs !== undefined && !(o.timeoutMs > 0))
    throw new BerthError("invalid_spec", `timeoutMs of an exec is ${o.timeoutMs}; it must be greater than 0`);
  const running = await launchWatched(ctx, id, o, call.signal);
  const handle = handleOf(ctx, running, o);
  if (o.tty === true && o.size !== undefined) handle.resize(o.size.rows, o.size.cols);
  const ending = new ExecEnding(ctx, id, running);
  ending.watch(o.timeoutMs, call.signal);
  let pid: number | undefined;
  if (ctx.facts.sharesProcesses) {
    pidOfExec(ctx, running.instance).then(
      (found) => (pid = found),
      () => {},
    );
  }
  return {
    ...handle,
    get pid() {
      return pid;
    },
    kill: (signal) => ending.kill(signal),
    end: ending.end,
    async [Symbol.asyncDispose]() {
      await ending.kill();
      handle.stream.destroy();
      running.instance.output.close();
      await ending.end;
    },
  };
}

/** Why an exec ended: the engine knows the code alone, the rest is what we did and saw. */
class ExecEnding {
  readonly end: Promise<ExecEnd>;
  readonly #ctx: DockerContext;
  readonly #id: ContainerId;
  readonly #running: RunningExec;
  #ended = false;
  #signalled = false;
  #cause: "timed_out" | "aborted" | undefined;

  constructor(ctx: DockerContext, id: ContainerId, running: RunningExec) {
    this.#ctx = ctx;
    this.#id = id;
    this.#running = running;
    this.end = running.exit
      .then(
        (code) => this.#endOf(code),
        (): ExecEnd => ({ kind: "container_gone" }),
      )
      .finally(() => (this.#ended = true));
  }

  watch(timeoutMs: number | undefined, signal: AbortSignal | undefined): void {
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => this.#stop("timed_out"), timeoutMs);
    const listening = onAbort(signal, () => this.#stop("aborted"));
    void this.end.finally(() => {
      clearTimeout(timer);
      listening[Symbol.dispose]();
    });
  }

  async kill(signal?: string): Promise<void> {
    if (this.#ended) return;
    this.#signalled = true;
    await this.#running.kill(signal);
  }

  #stop(cause: "timed_out" | "aborted"): void {
    if (this.#ended) return;
    this.#cause ??= cause;
    void quietKill(this.#ctx, this.#running);
  }

  async #endOf(code: number): Promise<ExecEnd> {
    if (this.#cause !== undefined) return { kind: this.#cause };
    if (code === 137 && !this.#signalled && (await this.#containerGoes())) return { kind: "container_gone" };
    const signal = signalOfExitCode(code);
    return signal === undefined ? { kind: "exited", code } : { kind: "signalled", code, signal };
  }

  /** The processes of a container that ends are killed a moment before the engine says so. */
  async #containerGoes(): Promise<boolean> {
    for (let look = 0; look < 10; look++) {
      if (await this.#containerIsGone()) return true;
      await delay(50);
    }
    return false;
  }

  async #containerIsGone(): Promise<boolean> {
    try {
      const { State: state } = await this.#ctx.ids.use(this.#id, undefined, ({ engineId }) => inspectEngine(this.#ctx, engineId));
      return state?.Running !== true;
    } catch {
      // Gone, or nobody there to ask.
      return true;
    }
  }
}
