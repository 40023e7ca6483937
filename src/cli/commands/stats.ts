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
  readonly container: ManagedContainer;
  before?: StatsSample | undefined;
  last?: StatsSample | undefined;
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
      const observed = (await choose(runtime, names, options)).map((container): Observed => ({ container }));
      const { signal } = context.interruption();
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

function print(context: CliContext, observed: readonly Observed[], options: StatsOptions, inPlace: boolean): void {
  const rows = observed.map(({ container, before, last }) => statsRow(container, before, last, !options.trunc));
  const text = renderRows({ titles: statsTitles, columns: statsColumns, rows }, options.format).join("\n");
  // Clears the screen from its upper left corner; what was above scrolls away, as with docker stats.
  context.host.stdout.write(`${inPlace ? "\x1b[H\x1b[J" : ""}${text}\n`);
}
