/** The main process's input and output, and the size of its terminal. */
import type { Duplex } from "node:stream";
import { EngineError } from "../../docker-api/engine-error.ts";
import { BerthError } from "../../errors.ts";
import { onAbort } from "../../internal/abort.ts";
import type { AttachHandle, AttachOptions } from "../../runtime/types.ts";
import { type ContainerId, containerIdToString } from "../../spec/container-id.ts";
import type { DockerContext } from "./context.ts";
import { DemultiplexedOutput, type OutputChunk } from "./demultiplexed.ts";
import { isNotRunning, inspectEngine } from "./lifecycle.ts";

export async function attachContainer(ctx: DockerContext, id: ContainerId, o: AttachOptions): Promise<AttachHandle> {
  o.signal?.throwIfAborted();
  return await ctx.ids.use(id, o.signal, async (container) => {
    const tty = container.spec?.tty ?? (await inspectEngine(ctx, container.engineId, o.signal)).Config?.Tty === true;
    const query = { stream: 1, stdout: 1, stderr: 1, stdin: o.stdin === true ? 1 : 0, logs: o.logs === true ? 1 : 0 };
    const socket = await ctx.client.upgrade(`/containers/${container.engineId}/attach`, { query, signal: o.signal });
    return handleOf(ctx, id, { engineId: container.engineId, tty, socket, options: o });
  });
}

interface Attached {
  readonly engineId: string;
  readonly tty: boolean;
  readonly socket: Duplex;
  readonly options: AttachOptions;
}

function handleOf(ctx: DockerContext, id: ContainerId, { engineId, tty, socket, options }: Attached): AttachHandle {
  const output = new DemultiplexedOutput(socket, { tty, where: ctx.client.where, discardUnclaimed: false });
  const close = (): void => output.close();
  const listening = onAbort(options.signal, close);
  let open = true;
  void output.ended.then(() => {
    open = false;
    listening[Symbol.dispose]();
  });
  const noInput = (): BerthError =>
    new BerthError("conflict", `container ${containerIdToString(id)} takes no input: it has ended, or was attached to without stdin`);
  return {
    output: attachedOutput(ctx, engineId, output, options.signal),
    async write(bytes) {
      if (options.stdin !== true || !open || socket.destroyed || socket.writableEnded) throw noInput();
      await new Promise<void>((resolve, reject) => socket.write(bytes, (error) => (error ? reject(noInput()) : resolve())));
    },
    endStdin() {
      if (options.stdin === true && open) socket.end();
    },
    resize(rows, cols) {
      if (rows > 0 && cols > 0) resizeEngine(ctx, engineId, rows, cols).catch(() => {});
    },
    close,
    [Symbol.dispose]: close,
  };
}

/** An engine that dies closes the connection as a container does that ends: whoever reads hears the difference. */
function attachedOutput(
  ctx: DockerContext,
  engineId: string,
  output: DemultiplexedOutput,
  signal: AbortSignal | undefined,
): AsyncIterableIterator<OutputChunk> {
  let finished = false;
  return {
    async next() {
      if (finished) return { done: true, value: undefined };
      const step = await output.next();
      if (step.done !== true) return step;
      finished = true;
      signal?.throwIfAborted();
      if (!output.closed) await askEngine(ctx, engineId);
      return step;
    },
    return() {
      finished = true;
      return output.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

async function askEngine(ctx: DockerContext, engineId: string): Promise<void> {
  try {
    await inspectEngine(ctx, engineId);
  } catch (thrown) {
    // Any answer of the engine means that it lives.
    if (!(thrown instanceof EngineError)) throw thrown;
  }
}

function resizeEngine(ctx: DockerContext, engineId: string, rows: number, cols: number): Promise<number> {
  return ctx.client.done("POST", `/containers/${engineId}/resize`, { query: { h: rows, w: cols } });
}

export async function resizeContainer(ctx: DockerContext, id: ContainerId, rows: number, cols: number, signal: AbortSignal | undefined): Promise<void> {
  await ctx.ids.use(id, signal, async (container) => {
    const conflict = (cause?: unknown): BerthError => new BerthError("conflict", `container ${containerIdToString(id)} does not run at a terminal`, { cause });
    if (container.spec?.tty === false) throw conflict();
    if (!(rows > 0 && cols > 0)) return;
    try {
      await resizeEngine(ctx, container.engineId, rows, cols);
    } catch (thrown) {
      throw isNotRunning(thrown) ? conflict(thrown) : thrown;
    }
  });
}
