import { Command } from "commander";
import type { ImageHistoryEntry } from "../../runtime/types.ts";
import { familiarName } from "../../spec/reference.ts";
import type { CliContext } from "../context.ts";
import { type Row, renderRows } from "../format/rows.ts";
import { decimalSize } from "../format/size.ts";
import { truncate } from "../format/table.ts";
import { timeAgo } from "../format/time.ts";

interface HistoryOptions {
  readonly trunc: boolean;
  readonly quiet?: boolean;
  readonly human: boolean;
  readonly format?: string;
}

const titles = { ID: "IMAGE", CreatedSince: "CREATED", CreatedAt: "CREATED AT", CreatedBy: "CREATED BY", Size: "SIZE", Comment: "COMMENT", Tags: "TAGS" };
const createdByWidth = 45;

export function historyCommand(context: CliContext): Command {
  return new Command("history")
    .argument("<image>", "name or id")
    .option("--no-trunc", "print ids and instructions whole")
    .option("-q, --quiet", "print ids only")
    .option("-H, --human", "sizes and dates as people write them; --human=false gives bytes and instants", true)
    .option("--no-human", "the same as --human=false")
    .option("--format <format>", "table, json, a list of columns, or {{.Column}} placeholders")
    .action(async (image: string, options: HistoryOptions) => {
      const runtime = await context.runtime();
      const rows = (await runtime.imageHistory(image)).map((entry) => historyRow(entry, options, Date.now()));
      if (options.quiet) for (const row of rows) context.print(row["ID"] ?? "");
      else {
        const columns = ["ID", options.human ? "CreatedSince" : "CreatedAt", "CreatedBy", "Size", "Comment"];
        for (const line of renderRows({ titles, columns, rows }, options.format)) context.print(line);
      }
    });
}

function historyRow(entry: ImageHistoryEntry, options: HistoryOptions, now: number): Row {
  const created = new Date(entry.created * 1000);
  const createdBy = entry.createdBy.replaceAll("\t", " ");
  return {
    ID: options.trunc ? entry.id.replace(/^sha256:([0-9a-f]{12}).*$/, "$1") : entry.id,
    CreatedSince: timeAgo(created, now),
    CreatedAt: created.toISOString().replace(/\.\d+Z$/, "Z"),
    CreatedBy: options.trunc ? truncate(createdBy, createdByWidth) : createdBy,
    Size: options.human ? decimalSize(entry.size) : String(entry.size),
    Comment: entry.comment,
    Tags: entry.tags.map(familiarName).join(","),
  };
}
