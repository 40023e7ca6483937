import type { ExecEnd, ExecProcess, ExecProcessOptions, RuntimeExtras } from "../runtime/extras.ts";
import type { ExecFacet } from "../runtime/runtime.ts";
import type { ContainerId } from "../spec/container-id.ts";

/** A further process as a handle, also with backends that have only the plain call: there every signal is the last one. */
export async function openExec(
  runtime: Pick<ExecFacet, "execPty"> & { readonly extras?: Pick<RuntimeExtras, "openExec"> | undefined },
  id: ContainerId,
  options: ExecProcessOptions,
): Promise<ExecProcess> {
  const { openExec: open } = runtime.extras ?? {};
  if (open !== undefined) return open(id, options);
  const { size, timeoutMs: _, ...plain } = options;
  const abort = new AbortController();
  const handle = await runtime.execPty(id, plain, { signal: abort.signal });
  if (size !== undefined) handle.resize(size.rows, size.cols);
  const kill = async (): Promise<void> => abort.abort();
  return {
    stream: handle.stream,
    output: handle.output,
    resize: (rows, cols) => handle.resize(rows, cols),
    exit: handle.exit,
    kill,
    end: handle.exit.then(
      (code): ExecEnd => ({ kind: "exited", code }),
      (): ExecEnd => ({ kind: "aborted" }),
    ),
    [Symbol.asyncDispose]: kill,
  };
}
