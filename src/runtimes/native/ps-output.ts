/** Reading what `ps` prints, for method 42. */
import { BerthError } from "../../errors.ts";
import type { ContainerTopOutput } from "../../runtime/types.ts";

/** Throws `invalid_spec` when an argument gives another column the name by which rows are told apart. */
export function refuseRenamedPid(psArgs: readonly string[]): void {
  for (const [, column, title] of psArgs.join(" ").matchAll(/(?:^|[\s,]|-o|--format=?)([^\s,=-]*)=\s*(PID\S*)/g)) {
    if (column !== "pid") throw new BerthError("invalid_spec", `ps arguments: ${column}=${title} is not allowed, PID names the column of process ids`);
  }
}

/**
 * The rows of `pids`, one per process, each as long as the titles: what a last cell holds of spaces stays in it.
 * Throws `invalid_spec` when there is no PID column.
 */
export function parsePs(output: string, pids: ReadonlySet<number>): ContainerTopOutput {
  const [head = "", ...lines] = output.split("\n");
  const titles = head
    .trim()
    .split(/[ \t]+/)
    .filter(Boolean);
  const pidColumn = titles.indexOf("PID");
  if (pidColumn < 0) throw new BerthError("invalid_spec", "ps arguments: the output has no column PID; add pid to the columns");
  const seen = new Set<number>();
  const processes = lines.flatMap((line) => {
    const cells = splitCells(line, titles.length);
    const pid = Number(cells[pidColumn]);
    if (cells.length === 0 || !pids.has(pid) || seen.has(pid)) return [];
    seen.add(pid);
    return [cells];
  });
  return { titles, processes };
}

function splitCells(line: string, count: number): string[] {
  const words = line
    .trim()
    .split(/[ \t]+/)
    .filter(Boolean);
  if (words.length === 0) return [];
  const last = new RegExp(`^\\s*(?:\\S+\\s+){${count - 1}}(.*?)\\s*$`).exec(line)?.[1];
  const cells = [...words.slice(0, count - 1), last ?? ""];
  return [...cells, ...Array.from({ length: Math.max(0, count - cells.length) }, () => "")];
}
