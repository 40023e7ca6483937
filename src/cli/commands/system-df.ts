import { Command } from "commander";
import { UnsupportedError } from "../../errors.ts";
import type { DiskUsage } from "../../runtime/extras.ts";
import { familiarName } from "../../spec/reference.ts";
import type { CliContext } from "../context.ts";
import { type Row, renderRows } from "../format/rows.ts";
import { decimalSize } from "../format/size.ts";
import { formatTable } from "../format/table.ts";
import { timeAgo } from "../format/time.ts";

const titles = { Type: "TYPE", TotalCount: "TOTAL", Active: "ACTIVE", Size: "SIZE", Reclaimable: "RECLAIMABLE" };

export function diskUsageCommand(context: CliContext): Command {
  return new Command("df")
    .description("Show what images, containers and volumes take on disk.")
    .option("-v, --verbose", "each of them")
    .option("--format <format>", "table, json, a list of columns, or {{.Column}} placeholders")
    .action(async (options: { readonly verbose?: boolean; readonly format?: string }) => {
      const runtime = await context.runtime();
      const { diskUsage } = runtime.extras ?? {};
      if (diskUsage === undefined) throw new UnsupportedError("diskUsage", runtime.backend, "it does not measure its store");
      const usage = await diskUsage({ signal: context.interruption().signal });
      if (options.verbose && options.format === undefined) for (const line of verbose(usage)) context.print(line);
      else for (const line of renderRows({ titles, columns: Object.keys(titles), rows: summary(usage) }, options.format)) context.print(line);
    });
}

interface Kind {
  readonly type: string;
  readonly total: number;
  readonly active: number;
  readonly sizeBytes: number;
  readonly reclaimableBytes: number;
}

function summary({ images, containers, volumes, layersBytes }: DiskUsage): readonly Row[] {
  const sum = <T>(list: readonly T[], size: (one: T) => number): number => list.reduce((total, one) => total + size(one), 0);
  const unusedImages = images.filter((image) => image.containers === 0);
  const stopped = containers.filter(({ running }) => !running);
  const unused = volumes.filter((volume) => volume.containers === 0);
  const kinds: readonly Kind[] = [
    {
      type: "Images",
      total: images.length,
      active: images.length - unusedImages.length,
      sizeBytes: layersBytes,
      // What images share stays as long as one of them is used.
      reclaimableBytes: unusedImages.length === images.length ? layersBytes : sum(unusedImages, ({ sizeBytes, sharedBytes }) => sizeBytes - sharedBytes),
    },
    {
      type: "Containers",
      total: containers.length,
      active: containers.length - stopped.length,
      sizeBytes: sum(containers, ({ writableBytes }) => writableBytes),
      reclaimableBytes: sum(stopped, ({ writableBytes }) => writableBytes),
    },
    {
      type: "Local Volumes",
      total: volumes.length,
      active: volumes.length - unused.length,
      sizeBytes: sum(volumes, ({ sizeBytes }) => sizeBytes),
      reclaimableBytes: sum(unused, ({ sizeBytes }) => sizeBytes),
    },
  ];
  return kinds.map(kindRow);
}

function kindRow({ type, total, active, sizeBytes, reclaimableBytes }: Kind): Row {
  const share = sizeBytes > 0 ? ` (${Math.floor((100 * reclaimableBytes) / sizeBytes)}%)` : "";
  return {
    Type: type,
    TotalCount: String(total),
    Active: String(active),
    Size: decimalSize(sizeBytes),
    Reclaimable: `${decimalSize(reclaimableBytes)}${share}`,
  };
}

function verbose({ images, containers, volumes }: DiskUsage): readonly string[] {
  const imageRows = images.map((image) => [
    familiarName(image.references.find((name) => !name.includes("@")) ?? "<none>"),
    image.id.replace(/^sha256:/, "").slice(0, 12),
    timeAgo(image.created),
    ...[image.sizeBytes, image.sharedBytes, image.sizeBytes - image.sharedBytes].map(decimalSize),
    String(image.containers),
  ]);
  const containerRows = containers.map(({ hexId, name = "", writableBytes, running }) => [
    hexId.slice(0, 12),
    decimalSize(writableBytes),
    running ? "running" : "stopped",
    name,
  ]);
  const volumeRows = volumes.map((volume) => [volume.name, String(volume.containers), decimalSize(volume.sizeBytes)]);
  return [
    "Images space usage:\n",
    formatTable([["IMAGE", "IMAGE ID", "CREATED", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS"], ...imageRows]),
    "\nContainers space usage:\n",
    formatTable([["CONTAINER ID", "SIZE", "STATUS", "NAMES"], ...containerRows]),
    "\nLocal Volumes space usage:\n",
    formatTable([["VOLUME NAME", "LINKS", "SIZE"], ...volumeRows]),
  ];
}
