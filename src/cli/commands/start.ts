import { Command } from "commander";
import { type ManagedContainer, resolveContainer } from "../../engine/resolve.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { CliContext } from "../context.ts";
import { CliError } from "../failure.ts";
import { checkTerminal, type ForegroundEnd, runInForeground } from "../foreground.ts";
import { defaultDetachKeys, parseDetachKeys } from "../terminal/detach-keys.ts";

interface StartOptions {
  readonly attach?: boolean;
  readonly interactive?: boolean;
  readonly detachKeys: string;
  readonly sigProxy: boolean;
}

export function startCommand(context: CliContext): Command {
  return new Command("start")
    .argument("<container...>", "names or ids")
    .option("-a, --attach", "show its output and pass signals on")
    .option("-i, --interactive", "pass stdin on")
    .option("--detach-keys <keys>", "keys that leave a container running", defaultDetachKeys)
    .option("--no-sig-proxy", "do not pass signals on to the container")
    .action(async (names: readonly string[], options: StartOptions) => {
      const runtime = await context.runtime();
      if (!options.attach && !options.interactive) {
        await context.each(names, async (name) => {
          await runtime.startContainer((await resolveContainer(runtime, name)).containerId);
          context.print(name);
        });
        return;
      }
      if (names.length > 1) throw new CliError("you cannot start and attach several containers at once");
      const container = await resolveContainer(runtime, names[0] ?? "");
      const end = await startAttached(context, runtime, container, options);
      context.exitCode = end.kind === "detached" ? 0 : end.exitCode;
    });
}

async function startAttached(context: CliContext, runtime: Runtime, container: ManagedContainer, options: StartOptions): Promise<ForegroundEnd> {
  const { tty = false } = await runtime.inspectDetailed(container.containerId);
  checkTerminal(() => context.host.stdin, { tty, interactive: options.interactive });
  return runInForeground(context, runtime, {
    id: container.containerId,
    name: container.name ?? container.runtimeId,
    tty,
    stdin: options.interactive === true,
    forwardSignals: options.sigProxy,
    detachKeys: parseDetachKeys(options.detachKeys),
    start: true,
    endWithReader: false,
  });
}
