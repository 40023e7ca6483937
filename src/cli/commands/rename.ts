import { Command } from "commander";
import { resolveContainer } from "../../engine/resolve.ts";
import type { CliContext } from "../context.ts";

export function renameCommand(context: CliContext): Command {
  return new Command("rename")
    .argument("<container>", "name or id")
    .argument("<new-name>", "what to call it from now on")
    .action(async (name: string, newName: string) => {
      const runtime = await context.runtime();
      const { containerId } = await resolveContainer(runtime, name);
      await runtime.renameContainer(containerId, newName);
    });
}
