/** Looks after the size of all logs, in the one process that leads. How often depends on how fast they grow. */
import { statSync } from "node:fs";
import { messageOf } from "../../errors.ts";
import { parseContainerId } from "../../spec/container-id.ts";
import { type NativeContext, pathsOf } from "./context.ts";
import type { ContainerPaths } from "./layout.ts";
import { fileLimitBytes, rotateLog } from "./log-rotation.ts";
import type { LogsConfig } from "../../spec/service-spec.ts";

/** Between two looks, while something grows and while nothing does. */
const [shortestMs, busyMs, longestMs] = [20, 250, 2_000];

export class LogRotator implements AsyncDisposable {
  readonly #ctx: NativeContext;
  readonly #sizes = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #pauseMs = busyMs;
  #isOver = false;

  constructor(ctx: NativeContext) {
    this.#ctx = ctx;
    this.#later(busyMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }

  #later(ms: number): void {
    if (this.#isOver) return;
    const begun = Date.now();
    this.#timer = setTimeout(() => {
      this.#looking = this.#look(Date.now() - begun).catch((error: unknown) => this.#ctx.onWarning(`cannot rotate a log: ${messageOf(error)}`));
      void this.#looking.then(() => this.#later(this.#pauseMs));
    }, ms).unref();
  }

  /** Every running container once; sets when to look again. */
  async #look(sinceMs: number): Promise<void> {
    let soonestMs = longestMs;
    const seen = new Set<string>();
    for (const { key, logs } of this.#ctx.store.runningLogs()) {
      const id = parseContainerId(key);
      if (id === undefined || this.#isOver) continue;
      seen.add(key);
      soonestMs = Math.min(soonestMs, await this.#lookAt(pathsOf(this.#ctx, id), logs, sinceMs));
    }
    for (const key of this.#sizes.keys()) if (!seen.has(key)) this.#sizes.delete(key);
    // What begins to grow while nothing did is noticed a little later each time.
    this.#pauseMs = soonestMs < longestMs ? soonestMs : Math.min(this.#pauseMs * 2, longestMs);
  }

  /** Answers in how many milliseconds it wants to be looked at again. */
  async #lookAt(paths: ContainerPaths, logs: LogsConfig, sinceMs: number): Promise<number> {
    const size = statSync(paths.log, { throwIfNoEntry: false })?.size;
    const grown = (size ?? 0) - (this.#sizes.get(paths.key) ?? size ?? 0);
    this.#sizes.set(paths.key, size ?? 0);
    const limit = fileLimitBytes(logs);
    if (size === undefined || size >= limit) {
      await rotateLog(paths, logs);
      this.#sizes.set(paths.key, 0);
      return shortestMs;
    }
    if (grown <= 0) return longestMs;
    return Math.max(shortestMs, Math.min(busyMs, ((limit - size) / grown) * Math.max(1, sinceMs)));
  }
}
