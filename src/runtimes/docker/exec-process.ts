/** A started exec as handles: output, input, size, end. */
import { setTimeout as delay } from "node:timers/promises";
import { Duplex } from "node:stream";
import { EngineError } from "../../docker-api/engine-error.ts";
import type { ExecProcessOptions } from "../../runtime/extras.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { DockerContext } from "./context.ts";
import type { DemultiplexedOutput, OutputChunk } from "./demultiplexed.ts";
import { execExitCode, type ExecInstance, inspectExec, startExec } from "./exec-instance.ts";
import { killExec } from "./exec-kill.ts";

export interface RunningExec {
  readonly instance: ExecInstance;
  readonly output: AsyncIterable<OutputChunk>;
  readonly exit: Promise<number>;
  /** Ends the process and what it started; a failure is warned about. */
  kill(signal?: string): Promise<void>;
}

export async function launch(ctx: DockerContext, id: ContainerId, o: ExecProcessOptions): Promise<RunningExec> {
  const instance = await startExec(ctx, id, o);
  const exit = execExitCode(ctx, instance);
  exit.catch(() => {});
  return {
    instance,
    output: o.tty === true ? instance.output : new ExplainedOutput(ctx, instance),
    exit,
    kill: (signal = "SIGKILL") => killExec(ctx, instance, signal),
  };
}

const startFailure = /^(?:OCI runtime exec failed|rpc error|unable to find user|cannot exec|crun:|runc:)/i;

/** What the engine says about a start that failed comes as if the program had written it to stdout; it belongs to stderr. */
class ExplainedOutput implements AsyncIterableIterator<OutputChunk> {
  readonly #ctx: DockerContext;
  readonly #exec: ExecInstance;
  #first = true;
  #explained = false;

  constructor(ctx: DockerContext, exec: ExecInstance) {
    this.#ctx = ctx;
    this.#exec = exec;
  }

  async next(): Promise<IteratorResult<OutputChunk>> {
    const step = await this.#exec.output.next();
    if (step.done === true) return step;
    if (this.#first) {
      this.#first = false;
      this.#explained = startFailure.test(Buffer.from(step.value.bytes.subarray(0, 200)).toString()) && (await this.#neverRan());
    }
    return this.#explained ? { done: false, value: { channel: "stderr", bytes: step.value.bytes } } : step;
  }

  return(): Promise<IteratorResult<OutputChunk>> {
    return this.#exec.output.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #neverRan(): Promise<boolean> {
    await this.#exec.output.ended;
    const report = await inspectExec(this.#ctx, this.#exec);
    return report !== undefined && report.pid === undefined && !report.running;
  }
}

/** Input and output as one stream. Destroying it closes the input and drops what output is still to come. */
export function execDuplex(running: RunningExec, o: { readonly stdin: boolean; readonly onHangUp: () => void }): Duplex {
  const { socket, output } = running.instance;
  const source = running.output[Symbol.asyncIterator]();
  let isReading = false;
  const pump = async (duplex: Duplex): Promise<void> => {
    isReading = true;
    try {
      for (;;) {
        const step = await source.next();
        if (step.done === true) {
          duplex.push(null);
          return;
        }
        if (!duplex.push(step.value.bytes)) return;
      }
    } catch (error) {
      duplex.destroy(error instanceof Error ? error : new Error(String(error)));
    } finally {
      isReading = false;
    }
  };
  return new Duplex({
    read() {
      if (!isReading) void pump(this);
    },
    write(chunk: Uint8Array, _encoding, done) {
      if (o.stdin) writeTo(socket, chunk, done);
      else done();
    },
    final(done) {
      if (o.stdin) socket.end();
      done();
    },
    destroy(error, done) {
      hangUp(socket, output, o.onHangUp);
      done(error);
    },
  });
}

function hangUp(socket: Duplex, output: DemultiplexedOutput, onHangUp: () => void): void {
  if (socket.destroyed || socket.readableEnded) return;
  socket.end();
  output.discard();
  onHangUp();
}

/** A process that has ended takes no more input, which is no failure of the stream. */
export function writeTo(socket: Duplex, chunk: Uint8Array, done: () => void): void {
  if (socket.destroyed || socket.writableEnded) return done();
  socket.write(chunk, () => done());
}

const resizeAttempts = 50;

/** The latest size wins, also over the moment in which the engine has not yet started the process. */
export function execResizer(ctx: DockerContext, running: RunningExec): (rows: number, cols: number) => void {
  let wanted: readonly [number, number] | undefined;
  let busy = false;
  const apply = async (): Promise<void> => {
    busy = true;
    try {
      for (let attempt = 0; wanted !== undefined && attempt < resizeAttempts; ) {
        const [h, w] = wanted;
        try {
          await ctx.client.done("POST", `/exec/${running.instance.execId}/resize`, { query: { h, w } });
          if (wanted[0] === h && wanted[1] === w) wanted = undefined;
        } catch (thrown) {
          if (!(thrown instanceof EngineError)) return;
          const report = await inspectExec(ctx, running.instance);
          if (report === undefined || (!report.running && report.exitCode !== undefined)) return;
          attempt += 1;
          await delay(20);
        }
      }
    } catch {
      // Resizing never throws: the connection's trouble shows where the output is read.
    } finally {
      busy = false;
    }
  };
  return (rows, cols) => {
    if (rows <= 0 || cols <= 0) return;
    wanted = [rows, cols];
    if (!busy) void apply();
  };
}
