import { Worker } from "node:worker_threads";
import { BerthError } from "../../../errors.ts";
import type { ByteRing } from "../../../internal/byte-ring.ts";
import { type Beginning, type FilesAnswer, type FilesJob, noMoreJobs } from "./jobs.ts";

/** The file beside this one, under the ending this one has: sources run directly, and built. */
const workerFile = new URL(`./files-worker${import.meta.url.slice(import.meta.url.lastIndexOf("."))}`, import.meta.url);

/** How many workers wait for the next job; more are started when more work is to be done at once. */
const maxIdle = 2;

/** A job under way. Every promise settles; none needs to be awaited. */
export interface RunningJob {
  /** The beginning went well; a failure before it rejects this one and `done`. */
  readonly ready: Promise<Beginning>;
  readonly done: Promise<void>;
  /** Never rejects: the worker is out of the container and its mounts are gone. */
  readonly left: Promise<void>;
}

interface Waiting {
  readonly ring: ByteRing | undefined;
  readonly ready: PromiseWithResolvers<Beginning>;
  readonly done: PromiseWithResolvers<void>;
  readonly left: PromiseWithResolvers<void>;
  readonly onWarning: (text: string) => void;
}

/** Worker threads for files in containers: one job each at a time, started when they are needed. */
export class FilesPool {
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Waiting>();
  #isClosed = false;

  /** The ring of the job, if it has one, is broken when the job fails or the pool is closed. */
  run(job: FilesJob, o: { readonly ring?: ByteRing | undefined; readonly onWarning: (text: string) => void }): RunningJob {
    if (this.#isClosed) throw closedError();
    const worker = this.#idle.pop() ?? this.#start();
    const waiting: Waiting = {
      ring: o.ring,
      ready: Promise.withResolvers(),
      done: Promise.withResolvers(),
      left: Promise.withResolvers(),
      onWarning: o.onWarning,
    };
    waiting.ready.promise.catch(() => {});
    waiting.done.promise.catch(() => {});
    this.#busy.set(worker, waiting);
    worker.ref();
    worker.postMessage(job);
    return { ready: waiting.ready.promise, done: waiting.done.promise, left: waiting.left.promise };
  }

  /** Ends running jobs and resolves once nothing of them is left. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const running = [...this.#busy.values()];
    for (const { ring } of running) ring?.break();
    await Promise.all(running.map(({ left }) => left.promise));
    await Promise.all(this.#idle.splice(0).map(ended));
  }

  #start(): Worker {
    // Descriptors come from system calls Node does not know of, so it cannot keep account of them.
    const options = { name: "berth-files", execArgv: [], trackUnmanagedFds: false, resourceLimits: { maxYoungGenerationSizeMb: 8 } };
    const worker = new Worker(workerFile, options);
    worker.unref();
    worker.on("message", (answer: FilesAnswer) => this.#answered(worker, answer));
    worker.on("error", (error: Error) => this.#died(worker, error.message));
    worker.on("exit", (code) => this.#died(worker, `it exited with ${code}`));
    return worker;
  }

  #answered(worker: Worker, answer: FilesAnswer): void {
    const waiting = this.#busy.get(worker);
    if (waiting === undefined) return;
    switch (answer.kind) {
      case "ready":
        return waiting.ready.resolve(answer.beginning);
      case "warning":
        return waiting.onWarning(answer.text);
      case "done":
        return waiting.done.resolve();
      case "failed":
        return fail(waiting, this.#isClosed ? closedError() : new BerthError(answer.code, answer.message, answer.fields));
      case "left":
        this.#busy.delete(worker);
        this.#retire(worker);
        return waiting.left.resolve();
      default:
        return answer satisfies never;
    }
  }

  #retire(worker: Worker): void {
    worker.unref();
    if (this.#idle.length < maxIdle) this.#idle.push(worker);
    else void ended(worker);
  }

  #died(worker: Worker, why: string): void {
    const at = this.#idle.indexOf(worker);
    if (at >= 0) this.#idle.splice(at, 1);
    const waiting = this.#busy.get(worker);
    this.#busy.delete(worker);
    if (waiting === undefined) return;
    fail(waiting, new BerthError("internal", `the files worker ended: ${why}`));
    waiting.left.resolve();
  }
}

/** By itself: a thread that is terminated leaves its descriptors open. */
function ended(worker: Worker): Promise<void> {
  worker.ref();
  return new Promise((resolve) => {
    worker.once("exit", () => resolve());
    worker.postMessage(noMoreJobs);
  });
}

function fail(waiting: Waiting, error: BerthError): void {
  waiting.ring?.break();
  waiting.ready.reject(error);
  waiting.done.reject(error);
}

function closedError(): BerthError {
  return new BerthError("aborted", "the runtime was closed");
}
