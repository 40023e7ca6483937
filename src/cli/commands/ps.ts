import { Command } from "commander";
import type { RuntimeContainerSummary } from "../../runtime/types.ts";
import { canonicalReference, parseReference } from "../../spec/reference.ts";
import type { CliContext } from "../context.ts";
import { type FilterTest, hasLabel, parseFilters } from "../flags/filters.ts";
import { listOption, parseInteger } from "../flags/values.ts";
import { containerColumns, containerRow, containerTitles, dockerState, shownId } from "../format/container-row.ts";
import { renderRows } from "../format/rows.ts";

interface PsOptions {
  readonly all?: boolean;
  readonly quiet?: boolean;
  readonly trunc: boolean;
  readonly last?: number;
  readonly latest?: boolean;
  readonly filter?: readonly string[];
  readonly format?: string;
}

export function psCommand(context: CliContext): Command {
  return new Command("ps")
    .option("-a, --all", "show stopped containers too")
    .option("-q, --quiet", "print ids only")
    .option("--no-trunc", "print ids and commands whole")
    .option("-n, --last <number>", "show the newest ones, in any state", parseInteger)
    .option("-l, --latest", "show the newest one, in any state")
    .addOption(listOption("-f, --filter <key=value>", "id, name, label, status, ancestor or exited"))
    .option("--format <format>", "table, json, a list of columns, or {{.Column}} placeholders")
    .action(async (options: PsOptions) => {
      const keep = parseFilters(options.filter ?? [], tests);
      const runtime = await context.runtime();
      const shown = select((await runtime.listContainers()).filter(keep), options);
      if (options.quiet) {
        for (const container of shown) context.print(shownId(container, !options.trunc));
        return;
      }
      const now = Date.now();
      const rows = shown.map((container) => containerRow(container, !options.trunc, now));
      for (const line of renderRows({ titles: containerTitles, columns: containerColumns, rows }, options.format)) context.print(line);
    });
}

/** Newest first; only running ones unless more was asked for. */
function select(containers: readonly RuntimeContainerSummary[], options: PsOptions): readonly RuntimeContainerSummary[] {
  const newestFirst = containers.toSorted((a, b) => (b.createdAt?.getTime() ?? 0) - (a.createdAt?.getTime() ?? 0));
  const last = options.latest ? 1 : options.last;
  if (last !== undefined && last >= 0) return newestFirst.slice(0, last);
  const asksForState = options.filter?.some((filter) => /^(status|exited)=/.test(filter));
  return options.all || asksForState ? newestFirst : newestFirst.filter(({ state }) => state?.state === "running" || state?.state === "initializing");
}

const tests: Readonly<Record<string, FilterTest<RuntimeContainerSummary>>> = {
  id: (value) => (container) => container.hexId?.startsWith(value) ?? false,
  name: (value) => {
    const pattern = new RegExp(value);
    return (container) => pattern.test(container.name ?? "");
  },
  label: (value) => (container) => hasLabel(container.labels, value),
  status: (value) => (container) => dockerState(container) === value,
  exited: (value) => (container) => container.state?.state === "exited" && container.state.code === Number(value),
  ancestor: (value) => {
    const wanted = canonicalReference(parseReference(value));
    return (container) => container.image === wanted || container.image === value;
  },
};
