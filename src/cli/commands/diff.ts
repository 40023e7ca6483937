import { Command } from "commander";
import { resolveContainer } from "../../engine/resolve.ts";
import type { CliContext } from "../context.ts";

const letters = { modified: "C", added: "A", deleted: "D" } as const;

export function diffCommand(context: CliContext): Command {
  return new Command("diff").argument("<container>", "name or id").action(async (name: string) => {
    const runtime = await context.runtime();
    const { containerId } = await resolveContainer(runtime, name);
    const changes = await runtime.changesContainer(containerId, { signal: context.interruption().signal });
    for (const { kind, path } of changes) context.print(`${letters[kind]} ${path}`);
  });
}
