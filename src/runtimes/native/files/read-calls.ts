/** Methods 47, 49, 36 and 43: what is in a container, as a tar, at a glance or as a list of changes. */
import { BerthError } from "../../../errors.ts";
import { BrokenRingError, ByteRing } from "../../../internal/byte-ring.ts";
import { abandonable, onAbort } from "../../../internal/abort.ts";
import { guardedStream } from "../../../runtime/guarded-stream.ts";
import type { ByteStream, CallOptions, FilesystemChangeEntry, PathStat } from "../../../runtime/types.ts";
import type { ContainerId } from "../../../spec/container-id.ts";
import { mustGet, type NativeContext } from "../context.ts";
import type { RunningJob } from "./files-pool.ts";
import type { FilesTask, RootView } from "./jobs.ts";
import { checkPath } from "./path-target.ts";
import { diffView, readableRecord, startReading } from "./views.ts";

export async function archiveHead(ctx: NativeContext, id: ContainerId, path: string, o: CallOptions): Promise<PathStat> {
  o.signal?.throwIfAborted();
  mustGet(ctx, id);
  checkPath(path);
  const record = readableRecord(ctx, id);
  const job = startReading(ctx, record, "all", (view) => ctx.files.run({ view, task: { kind: "head", path } }, warnings(ctx, record.name)));
  const { stat } = await job.ready;
  if (stat === undefined) throw new BerthError("internal", "the files worker did not describe the path");
  return stat;
}

/** Method 43. */
export async function changesContainer(ctx: NativeContext, id: ContainerId, o: CallOptions): Promise<readonly FilesystemChangeEntry[]> {
  o.signal?.throwIfAborted();
  const record = readableRecord(ctx, id);
  const job = ctx.files.run({ diff: diffView(ctx, record), task: { kind: "changes" } }, warnings(ctx, record.name));
  const { changes = [] } = await abandonable(job.ready, o.signal);
  const entries = changes.map(({ path, kind }) => ({ path: `/${Buffer.from(path, "latin1").toString()}`, kind }));
  return entries.sort((a, b) => (a.path < b.path ? -1 : 1));
}

export async function archiveGet(ctx: NativeContext, id: ContainerId, path: string, o: CallOptions): Promise<ByteStream> {
  o.signal?.throwIfAborted();
  mustGet(ctx, id);
  checkPath(path);
  const stream = await openStream(ctx, id, { mounts: "all", task: (ring) => ({ kind: "get", path, ring }), event: "archive-path" }, o);
  return stream;
}

export async function exportContainerFs(ctx: NativeContext, id: ContainerId, o: CallOptions): Promise<ByteStream> {
  o.signal?.throwIfAborted();
  return await openStream(ctx, id, { mounts: "none", task: (ring) => ({ kind: "export", ring }), event: "export" }, o);
}

interface StreamRequest {
  readonly mounts: RootView["mounts"];
  readonly task: (ring: SharedArrayBuffer) => FilesTask;
  readonly event: "archive-path" | "export";
}

/** Resolves once the beginning went well; the worker then waits for whoever reads. */
async function openStream(ctx: NativeContext, id: ContainerId, request: StreamRequest, o: CallOptions): Promise<ByteStream> {
  const record = readableRecord(ctx, id);
  const ring = new ByteRing();
  const job = startReading(ctx, record, request.mounts, (view) =>
    ctx.files.run({ view, task: request.task(ring.shared) }, { ...warnings(ctx, record.name), ring }),
  );
  using _aborting = onAbort(o.signal, () => ring.break());
  try {
    await job.ready;
  } catch (error) {
    o.signal?.throwIfAborted();
    throw error;
  }
  ctx.journal.recordContainer(record, request.event);
  return guardedStream((stop) => {
    // Also for a stream that is let go before its first chunk was asked for.
    onAbort(stop, () => ring.break());
    return readRing(ring, job, stop);
  }, o.signal);
}

/** Bytes are the reader's own. The end counts only when the job says that it was the end. */
export async function* readRing(ring: ByteRing, job: RunningJob, stop: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    for (let part = await ring.takeSoon(); part !== undefined; part = await ring.takeSoon()) {
      const bytes = Buffer.from(part);
      ring.took(bytes.length);
      yield bytes;
    }
    await job.done;
  } catch (error) {
    stop.throwIfAborted();
    if (error instanceof BrokenRingError) await job.done;
    throw error;
  } finally {
    ring.break();
    await job.left;
  }
}

export function warnings(ctx: NativeContext, name: string): { readonly onWarning: (text: string) => void } {
  return { onWarning: (text) => ctx.onWarning(`${name}: ${text}`) };
}
