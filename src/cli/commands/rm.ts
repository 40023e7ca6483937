import { Command } from "commander";
import { resolveContainer } from "../../engine/resolve.ts";
import { isBerthError } from "../../errors.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { CliContext } from "../context.ts";
import { CliError } from "../failure.ts";

interface RmOptions {
  readonly force?: boolean;
  readonly volumes?: boolean;
}

export function rmCommand(context: CliContext): Command {
  return new Command("rm")
    .argument("<container...>", "names or ids")
    .option("-f, --force", "kill running containers; unknown ones are no error")
    .option("-v, --volumes", "remove anonymous volumes too")
    .action(async (names: readonly string[], options: RmOptions) => {
      const runtime = await context.runtime();
      await context.each(names, async (name) => {
        try {
          await remove(runtime, name, options);
        } catch (error) {
          if (!(options.force && isBerthError(error, "not_found"))) throw error;
          context.fail(error, context.exitCode);
          return;
        }
        context.print(name);
      });
    });
}

async function remove(runtime: Runtime, name: string, options: RmOptions): Promise<void> {
  const { containerId, state, paused } = await resolveContainer(runtime, name);
  if (!options.force && state?.state === "running") {
    const what = paused ? "paused" : "running";
    throw new CliError(`cannot remove container ${JSON.stringify(name)}: it is ${what}; stop it first, or force the removal with -f`);
  }
  await runtime.removeContainer(containerId, { keepAnonymousVolumes: !options.volumes });
}
