import { Command } from "commander";
import { pruneEverything } from "../../engine/prune.ts";
import type { CliContext } from "../context.ts";
import { listOption } from "../flags/values.ts";
import { decimalSize } from "../format/size.ts";
import { confirm } from "../terminal/confirm.ts";
import { pruneFilter } from "./container.ts";
import { eventsCommand } from "./events.ts";
import { infoCommand } from "./info.ts";
import { diskUsageCommand } from "./system-df.ts";

export function systemCommand(context: CliContext): Command {
  return new Command("system")
    .addCommand(diskUsageCommand(context))
    .addCommand(eventsCommand(context))
    .addCommand(infoCommand(context).description("Show the backend in use and what it stands on."))
    .addCommand(pruneCommand(context));
}

interface PruneOptions {
  readonly all?: boolean;
  readonly volumes?: boolean;
  readonly force?: boolean;
  readonly filter?: readonly string[];
}

export function pruneCommand(context: CliContext): Command {
  return new Command("prune")
    .description("Remove what is not needed: stopped containers, unused networks, images without a name.")
    .option("-a, --all", "all images no container uses, not only those without a name")
    .option("--volumes", "anonymous volumes no container uses, too")
    .option("-f, --force", "do not ask")
    .addOption(listOption("--filter <filter>", "until=<instant>, label=<key>[=<value>], label!=<key>=<value>"))
    .action(async (options: PruneOptions) => {
      const filter = pruneFilter(options.filter ?? []);
      if (!options.force && !(await confirm(context.host, warning(options)))) return;
      const { signal } = context.interruption();
      const pruned = await pruneEverything(await context.runtime(), { ...filter, all: options.all, volumes: options.volumes, signal });
      for (const kind of ["containers", "networks", "volumes", "images"] as const) {
        const title = `Deleted ${kind.charAt(0).toUpperCase()}${kind.slice(1)}`;
        if (pruned[kind].length > 0) context.print(`${title}:\n${pruned[kind].join("\n")}\n`);
      }
      context.print(`Total reclaimed space: ${decimalSize(pruned.spaceReclaimed)}`);
    });
}

function warning({ all, volumes, filter = [] }: PruneOptions): string {
  const lines = [
    "all stopped containers",
    "all networks not used by at least one container",
    ...(volumes ? ["all anonymous volumes not used by at least one container"] : []),
    all ? "all images without at least one container associated to them" : "all dangling images",
  ];
  const filters = filter.length === 0 ? "" : `\n\n  Items to be pruned will be filtered with:\n${filter.map((text) => `  - ${text}`).join("\n")}`;
  return `WARNING! This will remove:\n${lines.map((line) => `  - ${line}`).join("\n")}${filters}\n`;
}
