import { closeSync, openSync } from "node:fs";
import { lock, tryLock } from "./libc.ts";

/** An exclusive lock between processes on a file that stays in place. It dies with its owner, however that ends. */
export class FileLock implements Disposable {
  #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** `undefined` when another process, or another lock of this one, holds it. */
  static tryAcquire(path: string): FileLock | undefined {
    const fd = openSync(path, "a", 0o600);
    if (tryLock(fd)) return new FileLock(fd);
    closeSync(fd);
    return undefined;
  }

  static async acquire(path: string): Promise<FileLock> {
    const fd = openSync(path, "a", 0o600);
    try {
      if (!tryLock(fd)) await lock(fd);
      return new FileLock(fd);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  release(): void {
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
