/** What this process holds: open descriptors, handles and timers of the event loop, child processes. For leak checks. */
import { readdirSync, readFileSync } from "node:fs";

export interface Held {
  readonly descriptors: number;
  readonly children: number;
  /** Of the event loop, by kind: `Timeout`, `TCPSocketWrap`, … */
  readonly handles: Readonly<Record<string, number>>;
}

export function heldResources(): Held {
  return { descriptors: descriptors(), children: children(), handles: handles() };
}

/** What there is more of than before, by more than `slack`, as text; empty when nothing. */
export function growth(before: Held, now: Held, slack = 0): readonly string[] {
  const kinds = Object.entries(now.handles).filter(([kind, count]) => count > (before.handles[kind] ?? 0) + slack);
  return [
    ...(now.descriptors > before.descriptors + slack ? [`descriptors: ${before.descriptors} → ${now.descriptors}`] : []),
    ...(now.children > before.children + slack ? [`child processes: ${before.children} → ${now.children}`] : []),
    ...kinds.map(([kind, count]) => `${kind}: ${before.handles[kind] ?? 0} → ${count}`),
  ];
}

/** Less the one that reads the directory. Zero where there is no /proc. */
function descriptors(): number {
  return entries("/proc/self/fd").length;
}

function children(): number {
  const lists = entries("/proc/self/task").map((task) => readText(`/proc/self/task/${task}/children`));
  return lists.flatMap((text) => text.split(" ").filter((pid) => pid !== "")).length;
}

function handles(): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

function entries(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
