import { styleText } from "node:util";
import { Command, Option } from "commander";
import type { CliContext } from "../context.ts";
import type { CheckResult, CheckStatus } from "../doctor-checks.ts";

export function doctorCommand(context: CliContext): Command {
  return new Command("doctor")
    .addOption(new Option("--format <format>", "how to print").choices(["text", "json"]).default("text"))
    .action(async (options: { readonly format: "text" | "json" }) => {
      const { checkHost } = await import("../doctor-checks.ts");
      const { env } = context.host;
      const results = await checkHost({
        root: context.globals.root ?? (env["BERTH_ROOT"] || "/var/lib/berth"),
        ociRuntime: context.globals.runtime ?? (env["BERTH_OCI_RUNTIME"] || undefined),
      });
      const failed = results.some(({ status }) => status === "fail");
      if (options.format === "json") context.print(JSON.stringify({ ok: !failed, checks: results }, null, 2));
      else printText(context, results);
      context.exitCode = failed ? 1 : 0;
    });
}

const colours = { ok: "green", warn: "yellow", fail: "red" } as const satisfies Record<CheckStatus, string>;

function printText(context: CliContext, results: readonly CheckResult[]): void {
  const isColoured = context.host.stdout.isTTY === true && !context.host.env["NO_COLOR"];
  for (const { status, name, message, remedy } of results) {
    const mark = status.padEnd(4);
    context.print(`${isColoured ? styleText(colours[status], mark) : mark}  ${name.padEnd(16)}  ${message}`);
    if (status !== "ok" && remedy !== undefined) context.print(`${" ".repeat(24)}→ ${remedy}`);
  }
}
