import { Worker } from "node:worker_threads";
import { BrokenRingError, ByteRing } from "../../internal/byte-ring.ts";
import { CliError } from "../failure.ts";
import type { CopyAnswer, CopyJob } from "./copy-jobs.ts";

/** The file beside this one, under the ending this one has: sources run directly, and built. */
const workerFile = new URL(`./copy-worker${import.meta.url.slice(import.meta.url.lastIndexOf("."))}`, import.meta.url);

type JobOf<Kind extends CopyJob["kind"]> = Omit<CopyJob & { readonly kind: Kind }, "ring" | "kind">;

/** A tar of something on this host, as a stream. `bytes` answers its size once it was read to its end. */
export function readHost(job: JobOf<"read">): { readonly tar: AsyncIterable<Uint8Array>; readonly bytes: Promise<number> } {
  const ring = new ByteRing();
  const bytes = start({ kind: "read", ring: ring.shared, ...job }, ring);
  return { tar: chunksOf(ring, bytes), bytes };
}

async function* chunksOf(ring: ByteRing, done: Promise<number>): AsyncGenerator<Uint8Array> {
  try {
    for (let part = await ring.takeSoon(); part !== undefined; part = await ring.takeSoon()) {
      const bytes = Buffer.from(part);
      ring.took(bytes.length);
      yield bytes;
    }
  } catch (error) {
    if (error instanceof BrokenRingError) await done;
    throw error;
  } finally {
    ring.break();
  }
}

/** Extracts a tar on this host. Answers its size. */
export async function writeHost(job: JobOf<"write">, tar: AsyncIterable<Uint8Array>): Promise<number> {
  const ring = new ByteRing();
  const done = start({ kind: "write", ring: ring.shared, ...job }, ring);
  try {
    for await (const chunk of tar) await ring.writeSoon(chunk);
    ring.end();
  } catch (error) {
    ring.break();
    if (error instanceof BrokenRingError) await done;
    throw error;
  }
  return await done;
}

function start(job: CopyJob, ring: ByteRing): Promise<number> {
  const worker = new Worker(workerFile, { name: "berth-copy", workerData: job, execArgv: [], trackUnmanagedFds: false });
  const done = new Promise<number>((resolve, reject) => {
    const fail = (message: string): void => {
      ring.break();
      reject(new CliError(message));
    };
    let hasAnswered = false;
    worker.once("message", (answer: CopyAnswer) => {
      hasAnswered = true;
      if (answer.ok) resolve(answer.bytes);
      else fail(answer.message);
    });
    worker.once("error", (error: Error) => fail(error.message));
    // After its answer what it wrote may still be in the ring, for a reader that is slower.
    worker.once("exit", () => hasAnswered || fail("the copy thread ended early"));
  });
  done.catch(() => {});
  return done;
}
