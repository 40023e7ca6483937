import { Command } from "commander";
import { isBerthError } from "../../errors.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { ImageInspectInfo } from "../../runtime/types.ts";
import { familiarName } from "../../spec/reference.ts";
import type { CliContext } from "../context.ts";
import { CliError } from "../failure.ts";

interface RmiOptions {
  readonly force?: boolean;
}

export function rmiCommand(context: CliContext): Command {
  return new Command("rmi")
    .argument("<image...>", "names or ids")
    .option("-f, --force", "remove all names, also of an image in use; unknown ones are no error")
    .option("--no-prune", "accepted for Docker's sake; there are no untagged parents")
    .action(async (names: readonly string[], options: RmiOptions) => {
      const runtime = await context.runtime();
      await context.each(names, async (name) => {
        try {
          for (const line of await removeImage(runtime, name, options.force === true)) context.print(line);
        } catch (error) {
          if (!isBerthError(error, "not_found")) throw error;
          const missing = new CliError(`No such image: ${name}`, 1, { cause: error });
          if (!options.force) throw missing;
          context.fail(missing, context.exitCode);
        }
      });
    });
}

/** What is gone afterwards, in Docker's words. */
async function removeImage(runtime: Runtime, name: string, force: boolean): Promise<readonly string[]> {
  const before = await runtime.inspectImageNative(name);
  await runtime.removeImage(name, force);
  const after = await stillThere(runtime, before.id ?? name);
  const untagged = before.repoTags.filter((tag) => after?.repoTags.includes(tag) !== true);
  if (after !== undefined) return untagged.map(untaggedLine);
  return [...untagged, ...before.repoDigests].map(untaggedLine).concat(`Deleted: ${before.id ?? name}`);
}

async function stillThere(runtime: Runtime, id: string): Promise<ImageInspectInfo | undefined> {
  try {
    return await runtime.inspectImageNative(id);
  } catch (error) {
    if (isBerthError(error, "not_found")) return undefined;
    throw error;
  }
}

function untaggedLine(name: string): string {
  return `Untagged: ${familiarName(name)}`;
}
