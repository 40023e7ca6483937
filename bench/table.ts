/** The results as a table for people. */
import { contests, type Row } from "./contests.ts";
import type { Result } from "./measure.ts";

const rows: ReadonlyMap<string, Row> = new Map(contests.flatMap((contest) => contest.rows.map((row) => [row.name, row])));

export function targetText(name: string): string {
  const row = rows.get(name);
  if (row === undefined) return "";
  return "ratio" in row.target ? `ratio ≤ ${row.target.ratio}` : `≤ ${row.target.berth} ${row.unit}`;
}

export function targetMet(result: Result): boolean {
  const target = rows.get(result.name)?.target;
  if (target === undefined) return true;
  return "ratio" in target ? result.ratio <= target.ratio : result.berth <= target.berth;
}

export function resultTable(results: readonly Result[]): string {
  const head = ["name", "berth", "peer", "ratio", "target", ""];
  const body = results.map((r) => [
    r.name,
    `${r.berth} ${r.unit}`,
    `${r.peer} ${r.unit} ${r.peerName}`,
    String(r.ratio),
    targetText(r.name),
    targetMet(r) ? "ok" : "MISSED",
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...body].map((line) => line[column]?.length ?? 0)));
  return [head, ...body]
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
