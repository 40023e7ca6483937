import { Command } from "commander";
import type { CliContext } from "../context.ts";
import { createContainer } from "../create-container.ts";
import { addContainerOptions, type ContainerOptions } from "../flags/container-options.ts";

export function createCommand(context: CliContext): Command {
  return addContainerOptions(new Command("create"))
    .argument("<image>", "name of the image")
    .argument("[command...]", "command and arguments; default: the image's")
    .action(async (image: string, args: readonly string[], options: ContainerOptions) => {
      const runtime = await context.runtime({ ociRuntime: options.runtime });
      context.print((await createContainer(context, runtime, options, image, args)).publicId);
    });
}
