import { Command } from "commander";
import { resolveContainer } from "../../engine/resolve.ts";
import type { CliContext } from "../context.ts";
import { CliError } from "../failure.ts";
import { writeWhole } from "../files.ts";
import { writeAll } from "../terminal/write.ts";

export function exportCommand(context: CliContext): Command {
  return new Command("export")
    .argument("<container>", "name or id")
    .option("-o, --output <file>", "write to a file instead of stdout")
    .action(async (name: string, options: { readonly output?: string }) => {
      if (options.output === undefined && context.host.stdout.isTTY) {
        throw new CliError("cowardly refusing to save to a terminal; use the -o flag or redirect");
      }
      const runtime = await context.runtime();
      const { containerId } = await resolveContainer(runtime, name);
      const tar = await runtime.exportContainerFs(containerId, { signal: context.interruption().signal });
      if (options.output === undefined) for await (const chunk of tar) await writeAll(context.host.stdout, chunk);
      else await writeWhole(options.output, tar);
    });
}
