import { Command, InvalidArgumentError } from "commander";
import { UnsupportedError } from "../../errors.ts";
import type { CliContext } from "../context.ts";
import { collectLabels } from "../flags/environment.ts";
import { listOption, splitOnce } from "../flags/values.ts";
import { decimalSize } from "../format/size.ts";
import { confirm } from "../terminal/confirm.ts";
import { volumesOf } from "../volumes.ts";
import { inspectVolumeCommand } from "./volume-inspect.ts";
import { listVolumesCommand } from "./volume-ls.ts";

export function volumeCommand(context: CliContext): Command {
  const command = new Command("volume");
  for (const make of [createCommand, listVolumesCommand, inspectVolumeCommand, removeCommand, pruneCommand, syncCommand]) command.addCommand(make(context));
  return command;
}

interface CreateOptions {
  readonly driver: string;
  readonly label?: readonly string[];
  readonly opt?: readonly string[];
}

function createCommand(context: CliContext): Command {
  return new Command("create")
    .description("Create a volume.")
    .argument("[volume]", "name; without one it gets a random one and is anonymous")
    .option("-d, --driver <driver>", "there is local", "local")
    .addOption(listOption("--label <key[=value]>", "attach a label"))
    .addOption(listOption("-o, --opt <key=value>", "option of the driver: type, o or device"))
    .action(async (name: string | undefined, options: CreateOptions) => {
      const pairs = (options.opt ?? []).map((text) => splitOnce(text, "="));
      const made = await volumesOf(await context.runtime()).create({
        name,
        driver: options.driver as "local",
        labels: collectLabels(options.label ?? [], []),
        options: Object.fromEntries(pairs.map(([key, value]) => [key, value ?? ""])),
      });
      context.print(made.name);
    });
}

function removeCommand(context: CliContext): Command {
  return new Command("rm")
    .alias("remove")
    .description("Remove volumes; those in use stay.")
    .argument("<volume...>", "names")
    .option("-f, --force", "unknown ones are no error")
    .action(async (names: readonly string[], options: { readonly force?: boolean }) => {
      const volumes = volumesOf(await context.runtime());
      await context.each(names, async (name) => {
        await volumes.remove(name, { force: options.force });
        context.print(name);
      });
    });
}

interface PruneOptions {
  readonly all?: boolean;
  readonly force?: boolean;
  readonly filter?: readonly string[];
}

function pruneCommand(context: CliContext): Command {
  return new Command("prune")
    .description("Remove anonymous volumes that no container uses.")
    .option("-a, --all", "named ones too")
    .option("-f, --force", "do not ask")
    .addOption(listOption("--filter <filter>", "label=<key>[=<value>], label!=<key>[=<value>], all=true"))
    .action(async (options: PruneOptions) => {
      const { labels, all } = volumeFilter(options.filter ?? []);
      const includesNamed = all || options.all === true;
      const warning = `WARNING! This will remove ${includesNamed ? "all" : "anonymous local"} volumes not used by at least one container.`;
      if (!options.force && !(await confirm(context.host, warning))) return;
      const volumes = volumesOf(await context.runtime());
      const { deleted, spaceReclaimed } = await volumes.prune({ all: includesNamed, labels, signal: context.interruption().signal });
      if (deleted.length > 0) context.print(`Deleted Volumes:\n${deleted.join("\n")}\n`);
      context.print(`Total reclaimed space: ${decimalSize(spaceReclaimed)}`);
    });
}

function syncCommand(context: CliContext): Command {
  return new Command("sync")
    .description("Bring volumes to the remote store that BERTH_S3_BUCKET names.")
    .argument("[volume...]", "names; all that containers use without any")
    .action(async (names: readonly string[]) => {
      const runtime = await context.runtime();
      const { sync } = volumesOf(runtime);
      if (sync === undefined) throw new UnsupportedError("volume sync", runtime.backend, "it has no remote store");
      const synced = await sync(names.length === 0 ? undefined : names, { signal: context.interruption().signal });
      for (const { name, uploaded } of synced) context.print(uploaded ? name : `${name}: unchanged`);
    });
}

/** Volumes have no age: `until` is refused, as by Docker. */
export function volumeFilter(filters: readonly string[]): { readonly labels: readonly string[]; readonly all: boolean } {
  const labels: string[] = [];
  let all = false;
  for (const filter of filters) {
    const [key, value = ""] = splitOnce(filter, "=");
    if (key === "label" && value !== "") labels.push(value);
    else if (key === "label!" && value !== "") labels.push(`!${value}`);
    else if (key === "all") all = /^(true|1)$/i.test(value);
    else throw new InvalidArgumentError(`invalid filter ${JSON.stringify(filter)}; there are label=, label!= and all=.`);
  }
  return { labels, all };
}
