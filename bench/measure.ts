/** Runs one contest: Berth and its peer in turn, so that whatever the machine does besides hits both alike. */
import { execFile } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
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
    await settle();
    const ours = await berth();
    await settle();
    const both = { berth: ours, peer: await peer() };
    if (round >= 0) figures.push(both);
  }
  return contest.rows.map(({ name, unit }, row) => {
    const [ours, theirs] = [median(figures.map((f) => f.berth[row] ?? NaN)), median(figures.map((f) => f.peer[row] ?? NaN))];
    return { name, unit, berth: rounded(ours), peer: rounded(theirs), peerName: contest.peerName, ratio: rounded(ours / theirs, 3) };
  });
}

/**
 * Either side leaves work behind it, and the other must not pay for that: dockerd reaps and logs for tens of ms, and has up to hundreds
 * of MB in memory that it never syncs, for which the next `syncfs` of the other one would wait.
 */
export async function settle(): Promise<void> {
  await delay(settleMs);
  await promisify(execFile)("sync");
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
