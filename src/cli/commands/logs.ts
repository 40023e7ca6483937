import { Command, Option } from "commander";
import { resolveContainer } from "../../engine/resolve.ts";
import type { LogChunk } from "../../runtime/types.ts";
import type { CliContext } from "../context.ts";
import { parseInstant, parseInteger } from "../flags/values.ts";
import { nanoTimestamp } from "../format/time.ts";
import { writeAll } from "../terminal/write.ts";

interface LogsOptions {
  readonly follow?: boolean;
  readonly tail: string;
  readonly since?: number;
  readonly until?: number;
  readonly timestamps?: boolean;
}

export function logsCommand(context: CliContext): Command {
  return new Command("logs")
    .argument("<container>", "name or id")
    .option("-f, --follow", "go on with what the container writes from now on")
    .option("-n, --tail <lines>", "how many lines from the end", "all")
    .option("--since <time>", "2026-01-02T03:04:05Z, Unix seconds, or how long ago (10m)", (text: string) => parseInstant(text))
    .option("--until <time>", "likewise", (text: string) => parseInstant(text))
    .addOption(new Option("--details", "show details given to the log driver; Berth's has none").hideHelp())
    .option("-t, --timestamps", "show when each line was written")
    .action(async (name: string, options: LogsOptions) => {
      const runtime = await context.runtime();
      const { containerId } = await resolveContainer(runtime, name);
      const { follow, since, until, timestamps } = options;
      const { signal } = context.interruption();
      const chunks = await runtime.logsStream(containerId, { follow, since, until, timestamps, tail: tailLines(options.tail) }, { signal });
      for await (const chunk of chunks) await show(context, chunk);
    });
}

/** `undefined` for all; so mean Docker's negative numbers. */
function tailLines(text: string): number | undefined {
  if (text === "all") return undefined;
  const lines = parseInteger(text);
  return lines < 0 ? undefined : lines;
}

async function show({ host }: CliContext, { stream, bytes, timestamp }: LogChunk): Promise<void> {
  const output = stream === "stderr" ? host.stderr : host.stdout;
  if (timestamp !== undefined) await writeAll(output, `${nanoTimestamp(timestamp)} `);
  await writeAll(output, bytes);
}
