import { Command, Option } from "commander";
import { resolveContainer } from "../../engine/resolve.ts";
import type { CliContext } from "../context.ts";
import { parseInteger } from "../flags/values.ts";

interface StopOptions {
  readonly timeout?: number;
  readonly time?: number;
  readonly signal?: string;
}

export function stopCommand(context: CliContext): Command {
  return new Command("stop")
    .argument("<container...>", "names or ids")
    .option("-t, --timeout <seconds>", "time until SIGKILL; -1 waits for ever (default: the container's, else 10)", parseInteger)
    .addOption(new Option("--time <seconds>").argParser(parseInteger).hideHelp())
    .option("-s, --signal <signal>", "signal to send (default: the container's, else SIGTERM)")
    .action(async (names: readonly string[], options: StopOptions) => {
      const runtime = await context.runtime();
      const seconds = options.timeout ?? options.time;
      await context.each(names, async (name) => {
        const { containerId } = await resolveContainer(runtime, name);
        await runtime.stopContainer(containerId, seconds === undefined ? undefined : seconds * 1000, { stopSignal: options.signal });
        context.print(name);
      });
    });
}
