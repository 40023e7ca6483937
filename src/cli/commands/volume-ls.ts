import { Command } from "commander";
import type { VolumeDetails } from "../../runtime/extras.ts";
import type { CliContext } from "../context.ts";
import { type FilterTest, hasLabel, parseFilters } from "../flags/filters.ts";
import { listOption } from "../flags/values.ts";
import { type Row, renderRows } from "../format/rows.ts";
import { volumesOf } from "../volumes.ts";

interface ListOptions {
  readonly quiet?: boolean;
  readonly filter?: readonly string[];
  readonly format?: string;
}

const titles = {
  Driver: "DRIVER",
  Name: "VOLUME NAME",
  Scope: "SCOPE",
  Mountpoint: "MOUNTPOINT",
  Labels: "LABELS",
  Links: "LINKS",
};

export function listVolumesCommand(context: CliContext): Command {
  return new Command("ls")
    .alias("list")
    .description("List volumes.")
    .option("-q, --quiet", "print names only")
    .addOption(listOption("-f, --filter <key=value>", "name, label, driver or dangling"))
    .option("--format <format>", "table, json, a list of columns, or {{.Column}} placeholders")
    .action(async (options: ListOptions) => {
      const keep = parseFilters(options.filter ?? [], tests);
      const found = (await volumesOf(await context.runtime()).list()).filter(keep);
      if (options.quiet) {
        for (const { name } of found) context.print(name);
        return;
      }
      for (const line of renderRows({ titles, columns: ["Driver", "Name"], rows: found.map(volumeRow) }, options.format)) context.print(line);
    });
}

function volumeRow({ name, driver, mountpoint, labels, usedBy }: VolumeDetails): Row {
  return {
    Driver: driver,
    Name: name,
    Scope: "local",
    Mountpoint: mountpoint,
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
    Links: String(usedBy.length),
  };
}

const tests: Readonly<Record<string, FilterTest<VolumeDetails>>> = {
  name: (value) => (volume) => volume.name.includes(value),
  label: (value) => (volume) => hasLabel(volume.labels, value),
  driver: (value) => (volume) => volume.driver === value,
  dangling: (value) => (volume) => (volume.usedBy.length === 0) === (value === "true" || value === "1"),
};
