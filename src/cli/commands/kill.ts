import { Command } from "commander";
import { resolveContainer } from "../../engine/resolve.ts";
import type { CliContext } from "../context.ts";

export function killCommand(context: CliContext): Command {
  return new Command("kill")
    .argument("<container...>", "names or ids")
    .option("-s, --signal <signal>", "name or number of the signal", "SIGKILL")
    .action(async (names: readonly string[], options: { readonly signal: string }) => {
      const runtime = await context.runtime();
      await context.each(names, async (name) => {
        const { containerId } = await resolveContainer(runtime, name);
        await runtime.killContainer(containerId, options.signal, { anySignal: true });
        context.print(name);
      });
    });
}
