/** Runs one contest: Berth and its peer in turn, so that whatever the machine does besides hits both alike. */
import { setTimeout as delay } from "node:timers/promises";
import type { Contest } from "./contests.ts";
import type { Stage } from "./stage.ts";

/** One entry of the result file. `ratio` is berth / peer: lower is better. */
export interface Result {
  readonly name: string;
  readonly unit: string;
  readonly berth: number;
  readonly peer: number;
  readonly peerName: string;
  readonly ratio: number;
}

const settleMs = 100;

export async function measure(contest: Contest, stage: Stage): Promise<Result[]> {
  const { berth, peer } = await contest.prepare(stage);
  const figures: { readonly berth: readonly number[]; readonly peer: readonly number[] }[] = [];
  for (let round = -contest.warmups; round < contest.rounds; round++) {
    // Either side leaves work behind it (dockerd reaps and logs for tens of ms): the other must not pay for that.
    await delay(settleMs);
    const ours = await berth();
    await delay(settleMs);
    const both = { berth: ours, peer: await peer() };
    if (round >= 0) figures.push(both);
  }
  return contest.rows.map(({ name, unit }, row) => {
    const [ours, theirs] = [median(figures.map((f) => f.berth[row] ?? NaN)), median(figures.map((f) => f.peer[row] ?? NaN))];
    return { name, unit, berth: rounded(ours), peer: rounded(theirs), peerName: contest.peerName, ratio: rounded(ours / theirs, 3) };
  });
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

function rounded(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}
