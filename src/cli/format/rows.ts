import { InvalidArgumentError } from "commander";
import { formatTable } from "./table.ts";
import { fillTemplate, parseFormat, templateHeader } from "./template.ts";

/** One line of a listing: column name, spelled as Docker's placeholders, to its text. */
export type Row = Readonly<Record<string, string>>;

export interface Listing {
  /** Column name to the title above it; every column a row may have. */
  readonly titles: Readonly<Record<string, string>>;
  /** What is shown without `--format`. */
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
}

/** The lines to print for `--format`; an empty listing in a form without header gives none. */
export function renderRows(listing: Listing, format: string | undefined): readonly string[] {
  const parsed = parseFormat(format ?? "table");
  switch (parsed.kind) {
    case "json":
      return listing.rows.map((row) => JSON.stringify(row));
    case "table":
      return [columnsTable(listing, parsed.columns ?? listing.columns)];
    case "template": {
      const { parts } = parsed;
      const lines = listing.rows.map((row) => fillTemplate(parts, row));
      if (!parsed.table) return lines;
      const header = templateHeader(parts, (field) => titleOf(listing, field));
      return [formatTable([header, ...lines].map((line) => line.split("\t")))];
    }
    default:
      return parsed satisfies never;
  }
}

function columnsTable(listing: Listing, columns: readonly string[]): string {
  const header = columns.map((column) => titleOf(listing, column));
  return formatTable([header, ...listing.rows.map((row) => columns.map((column) => row[column] ?? ""))]);
}

function titleOf(listing: Listing, column: string): string {
  const title = listing.titles[column];
  if (title === undefined) {
    throw new InvalidArgumentError(`there is no column ${JSON.stringify(column)}; there are ${Object.keys(listing.titles).join(", ")}.`);
  }
  return title;
}
