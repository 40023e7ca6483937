import { Command, InvalidArgumentError } from "commander";
import type { CliContext } from "../context.ts";
import { listOption, parseInteger, splitOnce } from "../flags/values.ts";
import { renderRows } from "../format/rows.ts";
import { truncate } from "../format/table.ts";

interface SearchOptions {
  readonly limit: number;
  readonly filter?: readonly string[];
  readonly trunc: boolean;
  readonly format?: string;
}

const titles = { Name: "NAME", Description: "DESCRIPTION", StarCount: "STARS", IsOfficial: "OFFICIAL", IsAutomated: "AUTOMATED" };
const descriptionWidth = 45;

export function searchCommand(context: CliContext): Command {
  return new Command("search")
    .argument("<term>", "what to look for, on Docker Hub or behind host/")
    .option("--limit <n>", "most results, 1 to 100", parseLimit, 25)
    .addOption(listOption("-f, --filter <filter>", "is-official=<bool>, stars=<n>"))
    .option("--no-trunc", "print descriptions whole")
    .option("--format <format>", "table, json, a list of columns, or {{.Column}} placeholders")
    .action(async (term: string, options: SearchOptions) => {
      const filter = searchFilter(options.filter ?? []);
      const runtime = await context.runtime();
      const found = await runtime.searchImages(term, options.limit, { ...filter, signal: context.interruption().signal });
      const rows = found.map((hit) => ({
        Name: hit.name,
        Description: options.trunc ? truncate(hit.description.replace(/\s+/g, " "), descriptionWidth) : hit.description.replace(/\s+/g, " "),
        StarCount: String(hit.starCount),
        IsOfficial: hit.official ? "[OK]" : "",
        IsAutomated: hit.automated ? "[OK]" : "",
      }));
      for (const line of renderRows({ titles, columns: ["Name", "Description", "StarCount", "IsOfficial"], rows }, options.format)) context.print(line);
    });
}

function parseLimit(text: string): number {
  const limit = parseInteger(text);
  if (limit < 1 || limit > 100) throw new InvalidArgumentError(`${limit} is outside of 1 to 100.`);
  return limit;
}

function searchFilter(filters: readonly string[]): { readonly isOfficial?: boolean | undefined; readonly minStars?: number | undefined } {
  let [isOfficial, minStars]: [boolean | undefined, number | undefined] = [undefined, undefined];
  for (const filter of filters) {
    const [key, value = ""] = splitOnce(filter, "=");
    if (key === "stars") minStars = parseInteger(value);
    else if (key === "is-official" && ["true", "1", "false", "0"].includes(value)) isOfficial = value === "true" || value === "1";
    else throw new InvalidArgumentError(`invalid filter ${JSON.stringify(filter)}; there are is-official=<bool> and stars=<n>.`);
  }
  return { isOfficial, minStars };
}
