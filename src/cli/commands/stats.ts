import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { isManaged, type ManagedContainer, resolveContainer } from "../../engine/resolve.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { StatsSample } from "../../runtime/types.ts";
import type { CliContext } from "../context.ts";
import { renderRows } from "../format/rows.ts";
import { statsColumns, statsRow, statsTitles } from "../format/stats-row.ts";

interface StatsOptions {
  readonly all?: boolean;
  readonly stream: boolean;
  readonly trunc: boolean;
  readonly format?: string;
}

/** A container under observation with its last two samples. */
interface Observed {
  container: ManagedContainer;
  before?: StatsSample | undefined;
  last?: StatsSample | undefined;
  isFollowed?: boolean;
}

export function statsCommand(context: CliContext): Command {
  return new Command("stats")
    .argument("[container...]", "names or ids; default: all that run")
    .option("-a, --all", "show stopped containers too")
    .option("--no-stream", "print once and end")
    .option("--no-trunc", "print ids whole")
    .option("--format <format>", "table, json, a list of columns, or {{.Column}} placeholders")
    .action(async (names: readonly string[], options: StatsOptions) => {
      const runtime = await context.runtime();
      const { signal } = context.interruption();
      if (options.stream && names.length === 0) return await watchAll(context, runtime, options, signal);
      const observed = (await choose(runtime, names, options)).map((container): Observed => ({ container }));
      if (options.stream) await watch(context, runtime, observed, options, signal);
      else {
        // A share of CPU time is the difference of two samples.
        await Promise.all(observed.map((one) => follow(runtime, one, signal, () => one.before !== undefined)));
        print(context, observed, options, false);
      }
    });
}

async function choose(runtime: Runtime, names: readonly string[], options: StatsOptions): Promise<readonly ManagedContainer[]> {
  if (names.length > 0) return Promise.all(names.map((name) => resolveContainer(runtime, name)));
  return (await runtime.listContainers()).filter(isManaged).filter(({ state }) => options.all || state?.state === "running");
}

/** Reads samples until there are no more, or enough. */
async function follow(runtime: Runtime, one: Observed, signal: AbortSignal, enough: () => boolean): Promise<void> {
  for await (const sample of await runtime.statsStream(one.container.containerId, { signal })) {
    one.before = one.last;
    one.last = sample;
    if (enough()) return;
  }
}

const refreshMs = 500;

async function watch(context: CliContext, runtime: Runtime, observed: readonly Observed[], options: StatsOptions, signal: AbortSignal): Promise<void> {
  const redraw = (): void => print(context, observed, options, context.host.stdout.isTTY === true);
  const timer = setInterval(redraw, refreshMs);
  try {
    await Promise.all(observed.map((one) => follow(runtime, one, signal, () => false)));
    redraw();
  } finally {
    clearInterval(timer);
  }
}

/** What starts joins in, what ends leaves, and only the user ends it, as with docker stats. */
async function watchAll(context: CliContext, runtime: Runtime, options: StatsOptions, signal: AbortSignal): Promise<void> {
  const observed = new Map<string, Observed>();
  for (;;) {
    const containers = await choose(runtime, [], options);
    const now = new Set(containers.map(({ runtimeId }) => runtimeId));
    for (const id of observed.keys()) if (!now.has(id)) observed.delete(id);
    for (const container of containers) {
      const one: Observed = Object.assign(observed.get(container.runtimeId) ?? {}, { container });
      observed.set(container.runtimeId, one);
      if (one.isFollowed !== true && container.state?.state === "running") void followLife(runtime, one, signal);
    }
    print(context, [...observed.values()], options, context.host.stdout.isTTY === true);
    await sleep(refreshMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** One run of a container, which may end or be removed at any moment. */
async function followLife(runtime: Runtime, one: Observed, signal: AbortSignal): Promise<void> {
  one.isFollowed = true;
  try {
    await follow(runtime, one, signal, () => false);
  } catch {
    // The next look at the list says what became of it.
  }
  one.isFollowed = false;
}

function print(context: CliContext, observed: readonly Observed[], options: StatsOptions, inPlace: boolean): void {
  const rows = observed.map(({ container, before, last }) => statsRow(container, before, last, !options.trunc));
  const text = renderRows({ titles: statsTitles, columns: statsColumns, rows }, options.format).join("\n");
  // Clears the screen from its upper left corner; what was above scrolls away, as with docker stats.
  context.host.stdout.write(`${inPlace ? "\x1b[H\x1b[J" : ""}${text}\n`);
}
