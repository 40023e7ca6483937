import { Command } from "commander";
import { resolveContainer } from "../../engine/resolve.ts";
import type { CliContext } from "../context.ts";

export function unpauseCommand(context: CliContext): Command {
  return new Command("unpause").argument("<container...>", "names or ids").action(async (names: readonly string[]) => {
    const runtime = await context.runtime();
    await context.each(names, async (name) => {
      const { containerId } = await resolveContainer(runtime, name);
      await runtime.unpauseContainer(containerId);
      context.print(name);
    });
  });
}
