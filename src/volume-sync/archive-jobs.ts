/** Jobs on a volume's files, each in a thread of its own: they walk directories with synchronous calls. */
import { Worker } from "node:worker_threads";
import { BerthError } from "../errors.ts";

export type ArchiveJob =
  /** The tar of a directory into a file, or, without one, only its digest. */
  | { readonly kind: "pack"; readonly directory: string; readonly file?: string | undefined }
  /** The files of a tar into an empty directory. */
  | { readonly kind: "unpack"; readonly file: string; readonly directory: string };

export interface Packed {
  /** sha256 of the tar, in hex. */
  readonly digest: string;
  readonly sizeBytes: number;
  readonly fileCount: number;
}

export type ArchiveAnswer =
  | { readonly ok: true; readonly packed?: Packed | undefined }
  | { readonly ok: false; readonly message: string; readonly code?: string | undefined };

const workerFile = new URL(`./volume-archive-worker${import.meta.url.slice(import.meta.url.lastIndexOf("."))}`, import.meta.url);

export async function pack(directory: string, file?: string, signal?: AbortSignal): Promise<Packed> {
  const packed = await run({ kind: "pack", directory, file }, signal);
  if (packed === undefined) throw new BerthError("internal", "the archive thread gave no answer");
  return packed;
}

export async function unpack(file: string, directory: string, signal?: AbortSignal): Promise<void> {
  await run({ kind: "unpack", file, directory }, signal);
}

async function run(job: ArchiveJob, signal: AbortSignal | undefined): Promise<Packed | undefined> {
  signal?.throwIfAborted();
  const worker = new Worker(workerFile, { name: "berth-volume-archive", execArgv: [], workerData: job, trackUnmanagedFds: false });
  const done = Promise.withResolvers<ArchiveAnswer>();
  const stop = (): void => done.reject(signal?.reason);
  signal?.addEventListener("abort", stop, { once: true });
  worker.once("message", done.resolve).once("error", done.reject);
  worker.once("exit", (code) => done.reject(new Error(`the archive thread ended with ${code}`)));
  try {
    const answer = await done.promise;
    if (answer.ok) return answer.packed;
    throw Object.assign(new Error(answer.message), answer.code === undefined ? {} : { code: answer.code });
  } finally {
    signal?.removeEventListener("abort", stop);
    await worker.terminate();
  }
}
