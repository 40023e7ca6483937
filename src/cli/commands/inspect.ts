import { Command, Option } from "commander";
import { resolveContainer } from "../../engine/resolve.ts";
import { BerthError, isBerthError } from "../../errors.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { CliContext } from "../context.ts";
import { containerRecord, imageRecord } from "../format/inspect-record.ts";
import { fillTemplate, parseFormat } from "../format/template.ts";

interface InspectOptions {
  readonly type?: "container" | "image";
  readonly format?: string;
}

export function inspectCommand(context: CliContext): Command {
  return new Command("inspect")
    .argument("<name...>", "names or ids of containers or images")
    .addOption(new Option("--type <type>", "only look among these").choices(["container", "image"]))
    .option("-f, --format <format>", "json, or {{.Field.Field}} placeholders")
    .action(async (names: readonly string[], options: InspectOptions) => {
      const format = options.format === undefined ? undefined : parseFormat(options.format);
      const runtime = await context.runtime();
      const records: object[] = [];
      await context.each(names, async (name) => {
        const record = await recordOf(runtime, name, options.type);
        if (format?.kind === "template") context.print(fillTemplate(format.parts, record));
        else records.push(record);
      });
      if (format?.kind === "json") context.print(JSON.stringify(records));
      else if (format?.kind !== "template") context.print(JSON.stringify(records, null, 4));
    });
}

async function recordOf(runtime: Runtime, name: string, type: InspectOptions["type"]): Promise<object> {
  const container = type === "image" ? undefined : await ifKnown(resolveContainer(runtime, name));
  if (container !== undefined) return containerRecord(container, await runtime.inspectDetailed(container.containerId));
  const image = type === "container" ? undefined : await ifKnown(runtime.inspectImageNative(name));
  if (image !== undefined) return imageRecord(image);
  throw new BerthError("not_found", `No such ${type ?? "object"}: ${name}`, { container: name });
}

/** A word that cannot even be the name of an image is unknown, too. */
async function ifKnown<T>(lookUp: Promise<T>): Promise<T | undefined> {
  try {
    return await lookUp;
  } catch (error) {
    if (isBerthError(error, "not_found") || isBerthError(error, "invalid_spec")) return undefined;
    throw error;
  }
}
