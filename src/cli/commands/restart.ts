import { Command, Option } from "commander";
import { resolveContainer } from "../../engine/resolve.ts";
import { restartContainer } from "../../engine/restart-container.ts";
import type { CliContext } from "../context.ts";
import { parseInteger } from "../flags/values.ts";

interface RestartFlags {
  readonly timeout?: number;
  readonly time?: number;
  readonly signal?: string;
}

export function restartCommand(context: CliContext): Command {
  return new Command("restart")
    .argument("<container...>", "names or ids")
    .option("-t, --timeout <seconds>", "time until SIGKILL; -1 waits for ever (default: the container's, else 10)", parseInteger)
    .addOption(new Option("--time <seconds>").argParser(parseInteger).hideHelp())
    .option("-s, --signal <signal>", "signal to stop it with (default: the container's, else SIGTERM)")
    .action(async (names: readonly string[], flags: RestartFlags) => {
      const runtime = await context.runtime();
      const seconds = flags.timeout ?? flags.time;
      await context.each(names, async (name) => {
        const { containerId } = await resolveContainer(runtime, name);
        await restartContainer(runtime, containerId, { timeoutMs: seconds === undefined ? undefined : seconds * 1000, stopSignal: flags.signal });
        context.print(name);
      });
    });
}
