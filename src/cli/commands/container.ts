import { Command, InvalidArgumentError } from "commander";
import type { CliContext } from "../context.ts";
import { listOption, parseInstant, splitOnce } from "../flags/values.ts";
import { decimalSize } from "../format/size.ts";
import { confirm } from "../terminal/confirm.ts";

interface PruneOptions {
  readonly force?: boolean;
  readonly filter?: readonly string[];
}

export function containerCommand(context: CliContext): Command {
  return new Command("container").addCommand(pruneCommand(context));
}

function pruneCommand(context: CliContext): Command {
  return new Command("prune")
    .description("Remove all stopped containers.")
    .option("-f, --force", "do not ask")
    .addOption(listOption("--filter <filter>", "until=<instant>, label=<key>[=<value>], label!=<key>=<value>"))
    .action(async (options: PruneOptions) => {
      const filter = pruneFilter(options.filter ?? []);
      if (!options.force && !(await confirm(context.host, "WARNING! This will remove all stopped containers."))) return;
      const runtime = await context.runtime();
      const { signal } = context.interruption();
      const { deleted, spaceReclaimed } = await runtime.pruneContainers({ ...filter, signal });
      if (deleted.length > 0) context.print(`Deleted Containers:\n${deleted.join("\n")}\n`);
      context.print(`Total reclaimed space: ${decimalSize(spaceReclaimed)}`);
    });
}

/** Filters of Docker's prune commands: the latest `until` counts, all labels must hold. */
export function pruneFilter(filters: readonly string[]): { readonly until?: Date | undefined; readonly labels: readonly string[] } {
  let until: Date | undefined;
  const labels: string[] = [];
  for (const filter of filters) {
    const [key, value] = splitOnce(filter, "=");
    if (value === undefined || value === "") throw new InvalidArgumentError(`invalid filter ${JSON.stringify(filter)}; there are until= and label=.`);
    if (key === "until") until = new Date(parseInstant(value) * 1000);
    else if (key === "label") labels.push(value);
    else if (key === "label!") labels.push(notLabel(filter, value));
    else throw new InvalidArgumentError(`invalid filter ${JSON.stringify(filter)}; there are until= and label=.`);
  }
  return { until, labels };
}

function notLabel(filter: string, text: string): string {
  const [key, value] = splitOnce(text, "=");
  if (value === undefined) throw new InvalidArgumentError(`invalid filter ${JSON.stringify(filter)}; label! needs a value, as in label!=key=value.`);
  return `${key}!=${value}`;
}
