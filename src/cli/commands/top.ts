import { Command } from "commander";
import { resolveContainer } from "../../engine/resolve.ts";
import type { CliContext } from "../context.ts";
import { formatTable } from "../format/table.ts";

export function topCommand(context: CliContext): Command {
  return new Command("top")
    .passThroughOptions()
    .allowUnknownOption()
    .argument("<container>", "name or id")
    .argument("[ps-argument...]", "arguments for ps of this host")
    .action(async (name: string, psArgs: readonly string[]) => {
      const runtime = await context.runtime();
      const { containerId } = await resolveContainer(runtime, name);
      const { titles, processes } = await runtime.topContainer(containerId, psArgs);
      context.print(formatTable([titles, ...processes]));
    });
}
