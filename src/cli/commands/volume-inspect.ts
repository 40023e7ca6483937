import { Command } from "commander";
import type { VolumeDetails } from "../../runtime/extras.ts";
import type { CliContext } from "../context.ts";
import { fillTemplate, parseFormat } from "../format/template.ts";
import { volumesOf } from "../volumes.ts";

export function inspectVolumeCommand(context: CliContext): Command {
  return new Command("inspect")
    .description("Show everything known about volumes, as JSON.")
    .argument("<volume...>", "names")
    .option("-f, --format <format>", "json, or {{.Field.Field}} placeholders")
    .action(async (names: readonly string[], options: { readonly format?: string }) => {
      const format = options.format === undefined ? undefined : parseFormat(options.format);
      const volumes = volumesOf(await context.runtime());
      const records: object[] = [];
      await context.each(names, async (name) => {
        const record = volumeRecord(await volumes.inspect(name));
        if (format?.kind === "template") context.print(fillTemplate(format.parts, record));
        else records.push(record);
      });
      if (format?.kind === "json") context.print(JSON.stringify(records));
      else if (format?.kind !== "template") context.print(JSON.stringify(records, null, 4));
    });
}

/** A volume in the shape of `docker volume inspect`. */
export function volumeRecord(volume: VolumeDetails): object {
  const { name, driver, mountpoint, createdAt, labels, options } = volume;
  return { CreatedAt: createdAt?.toISOString(), Driver: driver, Labels: labels, Mountpoint: mountpoint, Name: name, Options: options, Scope: "local" };
}
