import { Worker } from "node:worker_threads";
import { BerthError } from "../errors.ts";
import type { Unpacked } from "./unpack.ts";
import type { Answer, Job } from "./unpack-jobs.ts";

interface Waiting {
  readonly job: Job;
  readonly resolve: (unpacked: Unpacked | undefined) => void;
  readonly reject: (error: Error) => void;
}

/** The file beside this one, under the ending this one has: sources run directly, and built. */
const workerFile = new URL(`./unpack-worker${import.meta.url.slice(import.meta.url.lastIndexOf("."))}`, import.meta.url);

/**
 * A few worker threads for jobs on files. They start when there is work or {@link hold} announces some, and end when
 * nobody holds the pool and nothing is left to do, so that they keep no process alive.
 */
export class UnpackPool {
  readonly #size: number;
  readonly #workers = new Set<Worker>();
  readonly #idle: Worker[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #busy = new Map<Worker, Waiting>();
  #holders = 0;

  constructor(size: number) {
    this.#size = Math.max(1, size);
  }

  /** Keeps the workers until disposed, and starts one of them right away. */
  hold(): Disposable {
    this.#holders++;
    if (this.#workers.size === 0) this.#idle.push(this.#start());
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (isHeld) this.#holders--;
        isHeld = false;
        this.#retire();
      },
    };
  }

  /** Runs when a worker is free, first come first served. Throws what the job threw, as a `BerthError`. */
  run(job: Job): Promise<Unpacked | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    const waiting = this.#waiting[0];
    if (waiting === undefined) return this.#retire();
    const worker = this.#idle.pop() ?? (this.#workers.size < this.#size ? this.#start() : undefined);
    if (worker === undefined) return;
    this.#waiting.shift();
    this.#busy.set(worker, waiting);
    worker.ref();
    worker.postMessage(waiting.job);
  }

  #start(): Worker {
    // Chunks pass through quickly; a small nursery keeps a pull 40 MB smaller and no slower.
    const worker = new Worker(workerFile, { name: "berth-unpack", execArgv: [], resourceLimits: { maxYoungGenerationSizeMb: 2 } });
    worker.unref();
    this.#workers.add(worker);
    worker.on("message", (answer: Answer) => this.#answered(worker, answer));
    worker.on("error", (error: Error) => this.#died(worker, error.message));
    worker.on("exit", (code) => this.#died(worker, `it exited with ${code}`));
    return worker;
  }

  #answered(worker: Worker, answer: Answer): void {
    const waiting = this.#busy.get(worker);
    this.#busy.delete(worker);
    worker.unref();
    this.#idle.push(worker);
    if (answer.ok) waiting?.resolve(answer.unpacked);
    else waiting?.reject(new BerthError(answer.code, answer.message, { cause: answer.isDiskFull ? diskFull() : undefined }));
    this.#next();
  }

  #died(worker: Worker, why: string): void {
    if (!this.#workers.delete(worker)) return;
    const at = this.#idle.indexOf(worker);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#busy.get(worker)?.reject(new BerthError("internal", `the unpack worker ended: ${why}`));
    this.#busy.delete(worker);
    this.#next();
  }

  #retire(): void {
    if (this.#holders > 0 || this.#busy.size > 0 || this.#waiting.length > 0) return;
    for (const worker of this.#idle.splice(0)) {
      this.#workers.delete(worker);
      void worker.terminate();
    }
  }
}

/** What an error of another thread came from. */
function diskFull(): Error {
  return Object.assign(new Error("no space left on the disk"), { code: "ENOSPC" });
}
