import { Command } from "commander";
import { resolveContainer } from "../../engine/resolve.ts";
import type { CliContext } from "../context.ts";

export function pauseCommand(context: CliContext): Command {
  return new Command("pause").argument("<container...>", "names or ids").action(async (names: readonly string[]) => {
    const runtime = await context.runtime();
    await context.each(names, async (name) => {
      const { containerId } = await resolveContainer(runtime, name);
      await runtime.pauseContainer(containerId);
      context.print(name);
    });
  });
}
