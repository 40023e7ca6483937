import { setTimeout as sleep } from "node:timers/promises";
import { FileLock } from "./file-lock.ts";

const firstPauseMs = 5;
const longestPauseMs = 100;

/**
 * Waits for a lock that may be held for minutes, as during a download. It looks again and again instead of blocking in
 * flock(2): that would take a thread of Node's small pool for all that time. An abort rejects with the signal's reason.
 */
export async function acquireLock(path: string, o: { readonly signal?: AbortSignal | undefined } = {}): Promise<FileLock> {
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    o.signal?.throwIfAborted();
    const lock = FileLock.tryAcquire(path);
    if (lock !== undefined) return lock;
    await sleep(pauseMs, undefined, { signal: o.signal }).catch(() => {});
  }
}
