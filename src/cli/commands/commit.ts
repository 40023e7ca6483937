import { Command, Option } from "commander";
import { resolveContainer } from "../../engine/resolve.ts";
import type { CliContext } from "../context.ts";
import { listOption } from "../flags/values.ts";

interface CommitFlags {
  readonly author?: string;
  readonly message?: string;
  readonly change?: readonly string[];
  readonly pause: boolean;
}

export function commitCommand(context: CliContext): Command {
  return new Command("commit")
    .argument("<container>", "name or id")
    .argument("[repository[:tag]]", "name of the image")
    .option("-a, --author <author>", "who made it")
    .option("-m, --message <text>", "what was done")
    .addOption(listOption("-c, --change <instruction>", "apply a Dockerfile instruction to the image"))
    .addOption(new Option("-p, --pause", "pause the container meanwhile").default(true))
    .option("--no-pause", "leave it running meanwhile")
    .action(async (name: string, target: string | undefined, flags: CommitFlags) => {
      const runtime = await context.runtime();
      const { containerId } = await resolveContainer(runtime, name);
      const options = { ...splitName(target), author: flags.author, comment: flags.message, changes: flags.change?.join("\n"), pause: flags.pause };
      const { id } = await runtime.commitContainer(containerId, options, { signal: context.interruption().signal });
      context.print(id);
    });
}

function splitName(target: string | undefined): { readonly repo?: string; readonly tag?: string } {
  if (target === undefined) return {};
  const colon = target.lastIndexOf(":");
  return colon > target.lastIndexOf("/") ? { repo: target.slice(0, colon), tag: target.slice(colon + 1) } : { repo: target };
}
