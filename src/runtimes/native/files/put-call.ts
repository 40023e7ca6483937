/** Method 48. */
import { byteChunks, plainArchive } from "../../../archive/archive-source.ts";
import { asArchiveError } from "../../../archive/tar-header.ts";
import { abandonable, onAbort } from "../../../internal/abort.ts";
import { BrokenRingError, ByteRing } from "../../../internal/byte-ring.ts";
import type { ArchivePutOptions, ByteSource, CallOptions } from "../../../runtime/types.ts";
import type { ContainerId } from "../../../spec/container-id.ts";
import type { ContainerRecord } from "../container-store.ts";
import { mustGet, type NativeContext } from "../context.ts";
import { checkPath } from "./path-target.ts";
import { warnings } from "./read-calls.ts";
import { readableRecord, runWriting } from "./views.ts";

/** An abort leaves what was written so far, but no half file. */
export async function archivePut(ctx: NativeContext, id: ContainerId, path: string, tar: ByteSource, opts: ArchivePutOptions, o: CallOptions): Promise<void> {
  o.signal?.throwIfAborted();
  mustGet(ctx, id);
  checkPath(path);
  const record = readableRecord(ctx, id);
  const ring = new ByteRing();
  const task = { kind: "put", path, ring: ring.shared, noOverwriteDirNonDir: opts.noOverwriteDirNonDir === true } as const;
  const user = opts.copyUidGid === true ? configuredUser(ctx, record) : undefined;
  using _aborting = onAbort(o.signal, () => ring.break());
  let feeding: Promise<void> | undefined;
  const working = runWriting(ctx, id, (view) => {
    const job = ctx.files.run({ view, task: { ...task, user } }, { ...warnings(ctx, record.name), ring });
    // Nothing is read from the source before the target is known to be good.
    feeding = job.ready.then(
      () => feed(ring, tar),
      () => {},
    );
    feeding.catch(() => {});
    return job;
  });
  await abandonable(
    outcome(working, () => feeding),
    o.signal,
  );
  ctx.journal.recordContainer(record, "extract-to-dir");
}

function configuredUser(ctx: NativeContext, record: ContainerRecord): string | undefined {
  return record.facts.spec.user ?? (ctx.images.configOf(record.imageId)?.config.user || undefined);
}

/** What went wrong with the source says more than that the archive then ended. */
async function outcome(working: Promise<void>, feeding: () => Promise<void> | undefined): Promise<void> {
  const [worked] = await Promise.allSettled([working]);
  const [fed] = await Promise.allSettled([feeding()]);
  if (fed.status === "rejected" && !(fed.reason instanceof BrokenRingError)) throw fed.reason;
  if (worked.status === "rejected") throw worked.reason;
}

async function feed(ring: ByteRing, tar: ByteSource): Promise<void> {
  try {
    for await (const chunk of plainArchive(byteChunks(tar))) await ring.writeSoon(chunk);
    ring.end();
  } catch (error) {
    ring.break();
    throw asArchiveError(error);
  }
}
