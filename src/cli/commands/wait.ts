import { Command } from "commander";
import { resolveContainer } from "../../engine/resolve.ts";
import type { CliContext } from "../context.ts";

export function waitCommand(context: CliContext): Command {
  return new Command("wait").argument("<container...>", "names or ids").action(async (names: readonly string[]) => {
    const runtime = await context.runtime();
    const { signal } = context.interruption();
    await context.each(names, async (name) => {
      const { containerId } = await resolveContainer(runtime, name);
      context.print(String(await runtime.waitContainer(containerId, { signal })));
    });
  });
}
