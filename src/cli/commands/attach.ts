import { Command } from "commander";
import { resolveContainer } from "../../engine/resolve.ts";
import type { CliContext } from "../context.ts";
import { CliError } from "../failure.ts";
import { checkTerminal, runInForeground } from "../foreground.ts";
import { defaultDetachKeys, parseDetachKeys } from "../terminal/detach-keys.ts";

interface AttachFlags {
  readonly stdin: boolean;
  readonly detachKeys: string;
  readonly sigProxy: boolean;
}

export function attachCommand(context: CliContext): Command {
  return new Command("attach")
    .argument("<container>", "name or id")
    .option("--no-stdin", "do not pass stdin on")
    .option("--detach-keys <keys>", "keys that leave the container running", defaultDetachKeys)
    .option("--no-sig-proxy", "do not pass signals on to the container")
    .action(async (name: string, options: AttachFlags) => {
      const runtime = await context.runtime();
      const container = await resolveContainer(runtime, name);
      if (container.state?.state !== "running") throw new CliError("you cannot attach to a stopped container, start it first");
      if (container.paused) throw new CliError("you cannot attach to a paused container, unpause it first");
      const { tty = false } = await runtime.inspectDetailed(container.containerId);
      checkTerminal(() => context.host.stdin, { tty, interactive: options.stdin });
      const end = await runInForeground(context, runtime, {
        id: container.containerId,
        name,
        tty,
        stdin: options.stdin,
        forwardSignals: options.sigProxy,
        detachKeys: parseDetachKeys(options.detachKeys),
        start: false,
        endWithReader: false,
      });
      context.exitCode = end.kind === "detached" ? 0 : end.exitCode;
    });
}
