import { Command } from "commander";
import { familiarName } from "../../spec/reference.ts";
import type { CliContext } from "../context.ts";
import { CliError } from "../failure.ts";
import { openInput } from "../files.ts";

interface LoadOptions {
  readonly input?: string;
  readonly quiet?: boolean;
}

export function loadCommand(context: CliContext): Command {
  return new Command("load")
    .option("-i, --input <file>", "read from a file instead of stdin")
    .option("-q, --quiet", "do not show what is loaded")
    .action(async ({ input, quiet }: LoadOptions) => {
      const { stdin, stderr } = context.host;
      if (input === undefined && stdin.isTTY) throw new CliError("requested load from stdin, but stdin is a terminal; use the -i flag or redirect");
      const runtime = await context.runtime();
      const { signal } = context.interruption();
      const tar = input === undefined ? stdin : await openInput(input);
      for await (const event of await runtime.loadImages(tar, quiet === true, { signal })) {
        if (event.kind === "done") for (const reference of event.references) context.print(loadedLine(reference));
        else if (stderr.isTTY) stderr.write(`${event.id === undefined ? "" : `${event.id}: `}${event.status}\n`);
      }
    });
}

function loadedLine(reference: string): string {
  return reference.startsWith("sha256:") ? `Loaded image ID: ${reference}` : `Loaded image: ${familiarName(reference)}`;
}
