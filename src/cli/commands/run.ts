import { Command, Option } from "commander";
import type { Runtime } from "../../runtime/runtime.ts";
import { initialName } from "../../spec/container-id.ts";
import type { CliContext } from "../context.ts";
import { type CreatedContainer, createContainer } from "../create-container.ts";
import { addContainerOptions, type ContainerOptions } from "../flags/container-options.ts";
import { checkTerminal, removeOwn, runInForeground } from "../foreground.ts";
import { defaultDetachKeys, parseDetachKeys } from "../terminal/detach-keys.ts";

interface RunOptions extends ContainerOptions {
  readonly detach?: boolean;
  readonly detachKeys: string;
  readonly sigProxy: boolean;
}

export function runCommand(context: CliContext): Command {
  return addContainerOptions(new Command("run"))
    .argument("<image>", "name of the image")
    .argument("[command...]", "command and arguments; default: the image's")
    .addOption(new Option("-d, --detach", "run in the background and print the container's id"))
    .addOption(new Option("--detach-keys <keys>", "keys that leave a container running").default(defaultDetachKeys))
    .addOption(new Option("--no-sig-proxy", "do not pass signals on to the container"))
    .action(async (image: string, args: readonly string[], options: RunOptions) => {
      if (!options.detach) checkTerminal(() => context.host.stdin, options);
      const runtime = await context.runtime({ ociRuntime: options.runtime });
      const created = await createContainer(context, runtime, options, image, args);
      try {
        if (options.detach) await startDetached(context, runtime, created);
        else await runAttached(context, runtime, created, options);
      } catch (error) {
        // A container that never ran has no exit on which it would remove itself.
        if (options.rm) await removeOwn(runtime, created.id).catch((late: unknown) => context.fail(late));
        throw error;
      }
    });
}

async function startDetached(context: CliContext, runtime: Runtime, { id, publicId }: CreatedContainer): Promise<void> {
  await runtime.startContainer(id, { signal: context.interruption().signal });
  context.print(publicId);
}

async function runAttached(context: CliContext, runtime: Runtime, { id }: CreatedContainer, options: RunOptions): Promise<void> {
  const end = await runInForeground(context, runtime, {
    id,
    name: options.name ?? initialName(id),
    tty: options.tty === true,
    stdin: options.interactive === true,
    forwardSignals: options.sigProxy,
    detachKeys: parseDetachKeys(options.detachKeys),
    start: true,
    endWithReader: true,
  });
  context.exitCode = end.kind === "detached" ? 0 : end.exitCode;
  if (end.kind === "exited" && options.rm) await removeOwn(runtime, id);
}
