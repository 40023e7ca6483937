import { NetworkFailure, StatusFailure } from "./failure.ts";

/** Time as the client needs it; tests hand in their own. */
export interface Clock {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Resolves after the time, rejects with the signal's reason. */
  readonly delay: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
  /** At least 0 and below 1. */
  readonly random: () => number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  random: () => Math.random(),
  delay: (ms, signal) =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      signal?.addEventListener("abort", onAbort, { once: true });
    }),
};

export const maxRetries = 5;
const firstDelayMs = 250;
const longestDelayMs = 30_000;
/** A registry that wants a longer pause gets none: the caller is told instead. */
const longestRetryAfterMs = 120_000;

/** How long to wait before retry number `retry` (0 first); `undefined` when another attempt is of no use. */
export function retryDelayMs(failure: unknown, retry: number, o: { readonly clock: Clock; readonly wasReachable: boolean }): number | undefined {
  if (retry >= maxRetries || !isPassing(failure, o.wasReachable)) return undefined;
  const asked = failure instanceof StatusFailure ? failure.retryAfterMs : undefined;
  if (asked !== undefined) return asked <= longestRetryAfterMs ? asked : undefined;
  const full = Math.min(firstDelayMs * 2 ** retry, longestDelayMs);
  // Half of it by chance, so that many clients of a restarted registry do not come back at once.
  return Math.round(full * (0.5 + o.clock.random() / 2));
}

/** A host that answered before may be restarting; one that never did is most likely misspelt. */
function isPassing(failure: unknown, wasReachable: boolean): boolean {
  if (failure instanceof StatusFailure) return failure.status === 429 || failure.status === 408 || failure.status >= 500;
  if (!(failure instanceof NetworkFailure)) return false;
  return failure.trouble === "lost" || (failure.trouble === "nobody" && wasReachable);
}

/** `Retry-After` in milliseconds from now: seconds, a date, or Docker Hub's seconds since 1970. */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const seconds = /^\s*(\d{1,12})\s*$/.exec(header)?.[1];
  if (seconds === undefined) {
    const date = Date.parse(header);
    return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
  }
  const value = Number(seconds);
  return value > 1_000_000_000 ? Math.max(0, value * 1000 - nowMs) : value * 1000;
}
