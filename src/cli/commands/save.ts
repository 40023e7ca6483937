import { pipeline } from "node:stream/promises";
import { Command } from "commander";
import type { CliContext } from "../context.ts";
import { CliError } from "../failure.ts";
import { writeWhole } from "../files.ts";

interface SaveOptions {
  readonly output?: string;
}

export function saveCommand(context: CliContext): Command {
  return new Command("save")
    .argument("<image...>", "names or ids")
    .option("-o, --output <file>", "write to a file instead of stdout")
    .action(async (names: readonly string[], { output }: SaveOptions) => {
      if (output === undefined && context.host.stdout.isTTY) throw new CliError("cowardly refusing to save to a terminal; use the -o flag or redirect");
      const runtime = await context.runtime();
      const { signal } = context.interruption();
      const tar = await runtime.saveImages(names, { signal });
      if (output === undefined) await pipeline(tar, context.host.stdout, { end: false });
      else await writeWhole(output, tar);
    });
}
