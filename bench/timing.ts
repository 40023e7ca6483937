/** Figures out of clock readings. */
import type { Side } from "./contests.ts";

/** Milliseconds that `work` takes. */
export async function elapsed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/** A side whose one figure is the milliseconds of its work; of one of `times`, where one is too short to be timed. */
export function timed(work: () => Promise<unknown>, times = 1): Side {
  const repeated = async () => {
    for (let time = 0; time < times; time++) await work();
  };
  return async () => [(await elapsed(repeated)) / times];
}

/** The smallest value that `share` of all values do not exceed (nearest rank). NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? NaN;
}
