import { Command } from "commander";
import { BerthError } from "../../errors.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { canonicalReference, familiarName, parseReference, repositoryName } from "../../spec/reference.ts";
import type { CliContext } from "../context.ts";
import { pullRenderer } from "../terminal/progress.ts";

interface PushOptions {
  readonly allTags?: boolean;
  readonly quiet?: boolean;
}

export function pushCommand(context: CliContext): Command {
  return new Command("push")
    .argument("<image>", "name, with the registry it goes to")
    .option("-a, --all-tags", "push all tags of the repository")
    .option("-q, --quiet", "print only the name of the image")
    .action(async (image: string, options: PushOptions) => {
      const runtime = await context.runtime();
      for (const name of options.allTags ? await tagsOf(runtime, image) : [image]) await push(context, runtime, name, options);
    });
}

async function push(context: CliContext, runtime: Runtime, image: string, options: PushOptions): Promise<void> {
  if (runtime.extras?.pushImage === undefined) throw new BerthError("unsupported", `the ${runtime.backend} backend cannot push images`);
  if (!options.quiet && !/[:@][^/]*$/.test(image)) context.print("Using default tag: latest");
  const renderer = options.quiet ? undefined : pullRenderer(context.host.stdout);
  try {
    for await (const event of await runtime.extras.pushImage(image, undefined, { signal: context.interruption().signal })) {
      if (event.kind === "status") renderer?.show(event);
    }
  } finally {
    renderer?.close();
  }
  if (options.quiet) context.print(familiarName(canonicalReference(parseReference(image))));
}

/** Every local name in the repository. */
async function tagsOf(runtime: Runtime, image: string): Promise<readonly string[]> {
  const repository = repositoryName(parseReference(image));
  const images = await runtime.listImages();
  const names = images.map((one) => one.reference).filter((name) => !name.startsWith("sha256:") && repositoryName(parseReference(name)) === repository);
  if (names.length === 0) throw new BerthError("not_found", `no image of repository ${familiarName(repository)} is here`, { image });
  return names;
}
