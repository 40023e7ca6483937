import { closeSync, fstatSync, openSync, statSync, unlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { tryLock } from "./libc.ts";

const longestPauseMs = 20;

/** An exclusive lock between processes on a file. It dies with its owner, however that ends. */
export class FileLock implements Disposable {
  readonly #path: string;
  #fd: number;

  private constructor(path: string, fd: number) {
    this.#path = path;
    this.#fd = fd;
  }

  /** `undefined` when another process, or another lock of this one, holds it. */
  static tryAcquire(path: string): FileLock | undefined {
    for (;;) {
      const fd = openSync(path, "a", 0o600);
      if (!tryLock(fd)) {
        closeSync(fd);
        return undefined;
      }
      if (isStill(path, fd)) return new FileLock(path, fd);
      closeSync(fd);
    }
  }

  /**
   * Looks again and again. A thread blocked in flock(2) would be one of Node's four: enough of them in two processes, and
   * neither gets on with the work whose end the other waits for.
   */
  static async acquire(path: string): Promise<FileLock> {
    for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      const lock = FileLock.tryAcquire(path);
      if (lock !== undefined) return lock;
      await sleep(pauseMs);
    }
  }

  release(): void {
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
  }

  /** Removes the file too. Whoever waits for it notices, and locks a new one. */
  releaseAndDelete(): void {
    if (this.#fd < 0) return;
    unlinkSync(this.#path);
    this.release();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/** Whether the path still names the file we locked: its last owner may have deleted it while we waited. */
function isStill(path: string, fd: number): boolean {
  return statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(fd).ino;
}
