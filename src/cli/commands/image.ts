import { Command } from "commander";
import { familiarName } from "../../spec/reference.ts";
import type { CliContext } from "../context.ts";
import { listOption } from "../flags/values.ts";
import { decimalSize } from "../format/size.ts";
import { confirm } from "../terminal/confirm.ts";
import { pruneFilter } from "./container.ts";
import { historyCommand } from "./history.ts";
import { imagesCommand } from "./images.ts";
import { importCommand } from "./import.ts";
import { inspectCommand } from "./inspect.ts";
import { loadCommand } from "./load.ts";
import { pullCommand } from "./pull.ts";
import { pushCommand } from "./push.ts";
import { rmiCommand } from "./rmi.ts";
import { saveCommand } from "./save.ts";
import { tagCommand } from "./tag.ts";

/** The commands on images under one roof; most of them also have a name of their own. */
export function imageCommand(context: CliContext): Command {
  const image = new Command("image");
  const members: readonly (readonly [Command, string])[] = [
    [imagesCommand(context).name("ls").alias("list"), "List images"],
    [rmiCommand(context).name("rm").alias("remove"), "Remove one or more images"],
    [pruneCommand(context), "Remove unused images"],
    [inspectImagesCommand(context), "Show everything known about images, as JSON"],
    [historyCommand(context), "Show what an image was made of"],
    [tagCommand(context), "Give an image another name"],
    [pullCommand(context), "Download an image from a registry"],
    [pushCommand(context), "Upload an image to a registry"],
    [saveCommand(context), "Write images to a tar archive"],
    [loadCommand(context), "Read images from a tar archive"],
    [importCommand(context), "Make an image of a tar of a root file system"],
  ];
  for (const [command, summary] of members) image.addCommand(command.summary(summary).description(`${summary}.`));
  return image;
}

/** `inspect` that looks among images only. */
function inspectImagesCommand(context: CliContext): Command {
  const inspect = inspectCommand(context);
  inspect.setOptionValue("type", "image");
  return inspect;
}

interface PruneOptions {
  readonly all?: boolean;
  readonly force?: boolean;
  readonly filter?: readonly string[];
}

function pruneCommand(context: CliContext): Command {
  return new Command("prune")
    .option("-a, --all", "every image that no container uses, not only those without a name")
    .option("-f, --force", "do not ask")
    .addOption(listOption("--filter <filter>", "until=<instant>, label=<key>[=<value>], label!=<key>=<value>"))
    .action(async (options: PruneOptions) => {
      const filter = pruneFilter(options.filter ?? []);
      const what = options.all ? "all images without at least one container associated to them" : "all dangling images";
      if (!options.force && !(await confirm(context.host, `WARNING! This will remove ${what}.`))) return;
      const runtime = await context.runtime();
      const { deleted, spaceReclaimed } = await runtime.pruneImages({ ...filter, all: options.all === true, signal: context.interruption().signal });
      const lines = deleted.map((name) => (name.startsWith("sha256:") ? `deleted: ${name}` : `untagged: ${familiarName(name)}`));
      if (lines.length > 0) context.print(`Deleted Images:\n${lines.join("\n")}\n`);
      context.print(`Total reclaimed space: ${decimalSize(spaceReclaimed)}`);
    });
}
