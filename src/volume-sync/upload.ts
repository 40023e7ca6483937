/** Sends one staged archive: whole when it fits into a part, else in parts, several at a time, that a later try goes on with. */
import { statSync } from "node:fs";
import { type ObjectStore, StoreFailure, type UploadedPart } from "./object-store.ts";
import type { PendingUpload } from "./records.ts";

export interface Upload {
  readonly key: string;
  readonly file: string;
  readonly digest: string;
  readonly partBytes: number;
  /** Of an earlier try, if there was one. */
  readonly pending: PendingUpload | undefined;
  /** Durable before it returns; `undefined` when nothing is pending any more. */
  save(pending: PendingUpload | undefined): void;
  readonly signal?: AbortSignal | undefined;
}

const atOnce = 4;

export async function upload(store: ObjectStore, o: Upload): Promise<void> {
  const sizeBytes = statSync(o.file).size;
  if (o.pending !== undefined && !canResume(o)) await abandon(store, o, o.pending);
  if (sizeBytes <= o.partBytes) return store.put(o.key, { path: o.file, start: 0, sizeBytes }, { signal: o.signal });
  try {
    await inParts(store, o, sizeBytes, canResume(o) ? o.pending : undefined);
  } catch (error) {
    // The store has forgotten the upload that was to be resumed: from the beginning, once.
    if (!(error instanceof StoreFailure && error.kind === "gone" && canResume(o))) throw error;
    o.save(undefined);
    await inParts(store, o, sizeBytes, undefined);
  }
}

function canResume({ pending, digest, partBytes }: Upload): boolean {
  return pending !== undefined && pending.digest === digest && pending.partBytes === partBytes;
}

async function abandon(store: ObjectStore, o: Upload, pending: PendingUpload): Promise<void> {
  await store.abortUpload(o.key, pending.uploadId).catch(() => {});
  o.save(undefined);
}

async function inParts(store: ObjectStore, o: Upload, sizeBytes: number, begun: PendingUpload | undefined): Promise<void> {
  const uploadId = begun?.uploadId ?? (await store.beginUpload(o.key, o.signal));
  const done = new Map<number, UploadedPart>((begun?.parts ?? []).map((part) => [part.part, part]));
  const sorted = (): UploadedPart[] => [...done.values()].sort((a, b) => a.part - b.part);
  const save = (): void => o.save({ digest: o.digest, uploadId, partBytes: o.partBytes, parts: sorted() });
  save();
  const count = Math.ceil(sizeBytes / o.partBytes);
  const left = Array.from({ length: count }, (_, index) => index + 1).filter((part) => !done.has(part));
  let failure: unknown;
  const sender = async (): Promise<void> => {
    // After a failure no further part is begun; those on their way arrive, and need not be sent again.
    for (let part = left.shift(); part !== undefined && failure === undefined; part = left.shift()) {
      const start = (part - 1) * o.partBytes;
      const body = { path: o.file, start, sizeBytes: Math.min(o.partBytes, sizeBytes - start) };
      const etag = await store.uploadPart(o.key, uploadId, part, body, o.signal);
      done.set(part, { part, etag });
      save();
    }
  };
  const senders = Array.from({ length: Math.min(atOnce, left.length) }, sender);
  await Promise.all(
    senders.map((sent) =>
      sent.catch((error: unknown) => {
        failure ??= error;
      }),
    ),
  );
  o.signal?.throwIfAborted();
  if (failure !== undefined) throw failure;
  await store.completeUpload(o.key, uploadId, sorted(), o.signal);
}
