import { watch } from "node:fs";
import { dirname } from "node:path";

/** Catches a monitor that was killed before it could write the exit. */
const fallbackMs = 2_000;

export interface LogSourceState {
  /** Whether more output can come; asked again after every notice. */
  readonly isLive: () => boolean;
  /** Calls back when a run ended or the container was removed; returns how to stop that. */
  readonly onEnd: (notify: () => void) => () => void;
}

/** Wakes a follower: the log grew or was rotated, the run ended, `until` passed or the caller gave up. */
export class LogChanges implements Disposable {
  readonly #release: (() => void)[] = [];
  readonly #until: number | undefined;
  #changed = false;
  #wake: (() => void) | undefined;

  /** `onRotation` is called at once when a file came or went. */
  constructor(path: string, o: { source: LogSourceState; until?: number | undefined; stop: AbortSignal; onRotation: () => void }) {
    this.#until = o.until;
    const notify = (): void => this.#notify();
    // The directory: the file of this name is another one after each rotation.
    const watcher = watch(dirname(path), (event) => {
      if (event === "rename") o.onRotation();
      notify();
    });
    watcher.on("error", notify);
    this.#release.push(() => watcher.close(), o.source.onEnd(notify));
    const timer = setInterval(notify, fallbackMs);
    this.#release.push(() => clearInterval(timer));
    if (o.until !== undefined) {
      const timer = setTimeout(notify, Math.min(Math.max(0, o.until * 1000 - Date.now()) + 1, 2 ** 31 - 1));
      this.#release.push(() => clearTimeout(timer));
    }
    o.stop.addEventListener("abort", notify);
    this.#release.push(() => o.stop.removeEventListener("abort", notify));
  }

  isPastUntil(): boolean {
    return this.#until !== undefined && Date.now() > this.#until * 1000;
  }

  async next(): Promise<void> {
    if (!this.#changed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
    this.#changed = false;
  }

  wake(): void {
    this.#notify();
  }

  #notify(): void {
    this.#changed = true;
    this.#wake?.();
    this.#wake = undefined;
  }

  [Symbol.dispose](): void {
    for (const release of this.#release.splice(0)) release();
    this.#notify();
  }
}
