import { Command } from "commander";
import type { CliContext } from "../context.ts";

export function tagCommand(context: CliContext): Command {
  return new Command("tag")
    .argument("<source>", "name or id of an image that is here")
    .argument("<target>", "name it gets; without a tag, latest")
    .action(async (source: string, target: string) => {
      const runtime = await context.runtime();
      const hasTag = target.includes("@") || target.lastIndexOf(":") > target.lastIndexOf("/");
      await runtime.tagImage(source, hasTag ? target : `${target}:latest`);
    });
}
