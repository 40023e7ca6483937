import { Command } from "commander";
import { parsePlatform, type TargetPlatform } from "../../spec/platform.ts";
import type { CliContext } from "../context.ts";
import { CliError } from "../failure.ts";
import { openInput } from "../files.ts";
import { listOption } from "../flags/values.ts";

interface ImportOptions {
  readonly change?: readonly string[];
  readonly message?: string;
  readonly platform?: TargetPlatform;
}

export function importCommand(context: CliContext): Command {
  return new Command("import")
    .argument("<file>", "tar of a root file system, a URL of one, or - for stdin")
    .argument("[repository[:tag]]", "name the image gets")
    .addOption(listOption("-c, --change <instruction>", "Dockerfile instruction for the image, as CMD or ENV"))
    .option("-m, --message <text>", "comment in the image's history")
    .option("--platform <os/arch[/variant]>", "what the image is for", parsePlatform)
    .action(async (source: string, name: string | undefined, options: ImportOptions) => {
      const runtime = await context.runtime();
      const { signal } = context.interruption();
      const message = options.message ?? (source === "-" ? undefined : `Imported from ${source}`);
      const changes = options.change?.join("\n");
      context.print(await runtime.importImage(await open(context, source, signal), name, undefined, { message, changes, platform: options.platform, signal }));
    });
}

async function open(context: CliContext, source: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  if (source === "-") return context.host.stdin;
  if (!/^https?:\/\//.test(source)) return openInput(source);
  const response = await fetch(source, { signal });
  if (!response.ok || response.body === null) throw new CliError(`cannot import ${source}: the server answered status ${response.status}`);
  return response.body;
}
