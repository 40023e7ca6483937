import { Command } from "commander";
import { UnsupportedError } from "../../errors.ts";
import type { SecretEntry, SecretsFacet } from "../../runtime/extras.ts";
import type { CliContext } from "../context.ts";
import { openInput } from "../files.ts";
import { type Row, renderRows } from "../format/rows.ts";
import { timeAgo } from "../format/time.ts";
import { wholeInput } from "../terminal/ask.ts";

export function secretCommand(context: CliContext): Command {
  const command = new Command("secret");
  for (const make of [createCommand, listCommand, removeCommand]) command.addCommand(make(context));
  return command;
}

/** There is no option for the value: whoever can list processes would see it. */
function createCommand(context: CliContext): Command {
  return new Command("create")
    .description("Keep a value for -e NAME=$S:<secret>, in place of the secret of that name. One line end at its end is left out.")
    .argument("<secret>", "name or @service/name")
    .argument("<file>", "where the value is; - is stdin")
    .action(async (name: string, file: string) => {
      const value = file === "-" ? await wholeInput(context.host) : await contentOf(file);
      const made = await (await secretsOf(context)).store(name, value.replace(/\r?\n$/, ""));
      context.print(made.name);
    });
}

async function contentOf(file: string): Promise<string> {
  return Buffer.concat(await Array.fromAsync(await openInput(file))).toString("utf8");
}

const titles = { Name: "NAME", CreatedAt: "CREATED AT", Created: "CREATED" };

function listCommand(context: CliContext): Command {
  return new Command("ls")
    .alias("list")
    .description("List secrets; their values are never shown.")
    .option("-q, --quiet", "print names only")
    .option("--format <format>", "table, json, a list of columns, or {{.Column}} placeholders")
    .action(async (options: { readonly quiet?: boolean; readonly format?: string }) => {
      const found = await (await secretsOf(context)).list();
      if (options.quiet) {
        for (const { name } of found) context.print(name);
        return;
      }
      for (const line of renderRows({ titles, columns: ["Name", "Created"], rows: found.map(secretRow) }, options.format)) context.print(line);
    });
}

function secretRow({ name, createdAt }: SecretEntry): Row {
  return { Name: name, CreatedAt: createdAt.toISOString(), Created: timeAgo(createdAt) };
}

function removeCommand(context: CliContext): Command {
  return new Command("rm")
    .alias("remove")
    .description("Remove secrets; what runs keeps the value it started with.")
    .argument("<secret...>", "names")
    .action(async (names: readonly string[]) => {
      const secrets = await secretsOf(context);
      await context.each(names, async (name) => {
        await secrets.remove(name);
        context.print(name);
      });
    });
}

async function secretsOf(context: CliContext): Promise<SecretsFacet> {
  const runtime = await context.runtime();
  const { secrets } = runtime.extras ?? {};
  if (secrets === undefined) {
    throw new UnsupportedError(
      "secrets",
      runtime.backend,
      "it keeps none; use berth --backend native secret on the host of the engine, or /api/v1/secrets of its daemon",
    );
  }
  return secrets;
}
