import { Command } from "commander";
import { familiarName } from "../../spec/reference.ts";
import type { CliContext } from "../context.ts";

/** Hidden: names for the completion scripts, one a line. A host on which nothing can be opened has no names and no complaints. */
export function completeCommand(context: CliContext): Command {
  return new Command("__complete").argument("<kind>").action(async (kind: string) => {
    try {
      for (const name of await namesOf(context, kind)) context.print(name);
    } catch {
      context.exitCode = 1;
    }
  });
}

async function namesOf(context: CliContext, kind: string): Promise<readonly string[]> {
  const runtime = await context.runtime();
  const images = async (): Promise<readonly string[]> => (await runtime.listImages()).map(({ reference }) => familiarName(reference));
  if (kind === "images") return images();
  const containers = await runtime.listContainers();
  const shown = kind === "running" ? containers.filter(({ state }) => state?.state === "running") : containers;
  const names = shown.map(({ name, runtimeId }) => name ?? runtimeId);
  return kind === "any" ? [...names, ...(await images())] : names;
}
