import { Command } from "commander";
import type { RuntimeInfo } from "../../runtime/extras.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { version } from "../../version.ts";
import type { CliContext } from "../context.ts";
import { fillTemplate, parseFormat } from "../format/template.ts";

export function infoCommand(context: CliContext): Command {
  return new Command("info").option("-f, --format <format>", "json, or {{.Field}} placeholders").action(async (options: { readonly format?: string }) => {
    const format = options.format === undefined ? undefined : parseFormat(options.format);
    const runtime = await context.runtime();
    const info = await infoOf(runtime);
    const reasons = "choice" in runtime ? choiceReasons(runtime.choice) : [];
    if (format?.kind === "json") context.print(JSON.stringify({ ...info, choice: reasons }));
    else if (format?.kind === "template") context.print(fillTemplate(format.parts, info));
    else printInfo(context, info, reasons);
  });
}

async function infoOf(runtime: Runtime): Promise<RuntimeInfo> {
  return (await runtime.extras?.info?.()) ?? { backend: runtime.backend, version, facts: {}, warnings: [] };
}

function printInfo(context: CliContext, info: RuntimeInfo, reasons: readonly string[]): void {
  const lines: readonly (readonly [string, string])[] = [
    ["Version", info.version],
    ["Backend", info.backend],
    ...reasons.map((reason) => ["Chosen because", reason] as const),
    ...Object.entries(info.facts),
  ];
  for (const [name, text] of lines) context.print(`${name}: ${text}`);
  for (const warning of info.warnings) context.warn(warning);
}

/** One sentence for each backend that was looked at, when the runtime came from `openRuntime`. */
function choiceReasons(choice: unknown): readonly string[] {
  if (typeof choice !== "object" || choice === null || !("reasons" in choice) || !Array.isArray(choice.reasons)) return [];
  return choice.reasons.map(String);
}
