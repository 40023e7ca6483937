import { existsSync, type FSWatcher, readFileSync, rmSync, statSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Tells who waits that something ended. conmon writes a file per ended container into one directory; a removal by any
 * process shows there too. One inotify watch serves all containers of this process.
 */
export class ExitNotices {
  readonly #directory: string;
  readonly #listeners = new Map<string, Set<() => void>>();
  readonly #onExit: (ociId: string) => void;
  readonly #watcher: FSWatcher;
  #count = 0;

  /** `onExit` hears of every exit, waited for or not. */
  constructor(directory: string, onExit: (ociId: string) => void) {
    this.#directory = directory;
    this.#onExit = onExit;
    this.#watcher = watch(directory, (_event, file) => {
      if (typeof file === "string") this.#dispatch(file.replace(/\.notice$/, ""));
    });
    this.#watcher.on("error", () => {});
    this.#watcher.unref();
  }

  /** Returns how to stop listening. While anybody listens, the process stays alive. */
  listen(ociId: string, notify: () => void): () => void {
    const listeners = this.#listeners.get(ociId) ?? new Set();
    this.#listeners.set(ociId, listeners.add(notify));
    this.#count += 1;
    this.#watcher.ref();
    return () => {
      if (!listeners.delete(notify)) return;
      if (listeners.size === 0 && this.#listeners.get(ociId) === listeners) this.#listeners.delete(ociId);
      this.#count -= 1;
      if (this.#count === 0) this.#watcher.unref();
    };
  }

  /** Wakes the listeners of this process at once, and those of other processes through the directory. */
  announce(ociId: string): void {
    const notice = join(this.#directory, `${ociId}.notice`);
    writeFileSync(notice, "");
    rmSync(notice, { force: true });
    this.wake(ociId);
  }

  #dispatch(ociId: string): void {
    this.#onExit(ociId);
    this.wake(ociId);
  }

  /** Lets the listeners of this process look again. */
  wake(ociId: string): void {
    for (const notify of [...(this.#listeners.get(ociId) ?? [])]) notify();
  }

  close(): void {
    this.#watcher.close();
    for (const listeners of [...this.#listeners.values()]) for (const notify of [...listeners]) notify();
  }
}

/** What conmon wrote: 0–255, or 128+n for a signal; `undefined` while there is nothing. */
export function readExitFile(path: string): { code: number; finishedAt: number } | undefined {
  // Asked for all the time, and mostly not there: an exception would cost several times as much.
  if (!existsSync(path)) return undefined;
  try {
    const text = readFileSync(path, "latin1").trim();
    if (!/^\d+$/.test(text)) return undefined;
    return { code: Number(text), finishedAt: statSync(path).mtimeMs };
  } catch {
    return undefined;
  }
}
