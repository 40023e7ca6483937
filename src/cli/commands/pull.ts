import { Command } from "commander";
import { parsePlatform, type TargetPlatform } from "../../spec/platform.ts";
import { parseReference } from "../../spec/reference.ts";
import type { CliContext } from "../context.ts";
import { pullWithProgress } from "../ensure-image.ts";

interface PullFlags {
  readonly quiet?: boolean;
  readonly platform?: TargetPlatform;
}

export function pullCommand(context: CliContext): Command {
  return new Command("pull")
    .argument("<image>", "name, with a tag or digest")
    .option("-q, --quiet", "print only the name of the image")
    .option("--platform <os/arch[/variant]>", "platform to take from a multi-platform image", parsePlatform)
    .action(async (image: string, options: PullFlags) => {
      const { tag, digest, path } = parseReference(image);
      const runtime = await context.runtime();
      if (!options.quiet && tag !== undefined && !/[:@][^/]*$/.test(image)) context.print(`Using default tag: ${tag}`);
      if (!options.quiet && runtime.capabilities.pullImageStream.support !== "real") context.print(`${tag ?? digest}: Pulling from ${path}`);
      const output = options.quiet ? undefined : context.host.stdout;
      context.print(await pullWithProgress(runtime, { image, platform: options.platform, output, signal: context.interruption().signal }));
    });
}
