import { Command } from "commander";
import { version } from "../../version.ts";
import type { CliContext } from "../context.ts";
import { fillTemplate, parseFormat } from "../format/template.ts";

export function versionCommand(context: CliContext): Command {
  return new Command("version").option("-f, --format <format>", "json, or {{.Field}} placeholders").action((options: { readonly format?: string }) => {
    const facts = { Version: version, Node: process.version, Os: process.platform, Arch: process.arch };
    const format = options.format === undefined ? undefined : parseFormat(options.format);
    if (format?.kind === "json") context.print(JSON.stringify(facts));
    else if (format?.kind === "template") context.print(fillTemplate(format.parts, facts));
    else {
      context.print("Berth:");
      for (const [name, text] of [
        ["Version", version],
        ["Node", process.version],
        ["OS/Arch", `${process.platform}/${process.arch}`],
      ]) {
        context.print(` ${`${name}:`.padEnd(18)}${text}`);
      }
    }
  });
}
