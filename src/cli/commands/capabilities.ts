import { Command } from "commander";
import { backendCapabilities } from "../../open-runtime.ts";
import { type Capabilities, runtimeMethods } from "../../runtime/capabilities.ts";
import type { CliContext } from "../context.ts";
import { formatTable } from "../format/table.ts";

export function capabilitiesCommand(context: CliContext): Command {
  return new Command("capabilities").option("--json", "one object for each method and backend").action(async (options: { readonly json?: boolean }) => {
    const backends = Object.entries(await backendCapabilities());
    if (options.json === true) context.print(JSON.stringify(cells(backends), null, 2));
    else for (const line of report(backends)) context.print(line);
  });
}

type Column = readonly [name: string, capabilities: Capabilities];

interface Cell {
  readonly method: string;
  readonly backend: string;
  readonly support: string;
  readonly reason?: string | undefined;
}

function cells(backends: readonly Column[]): readonly Cell[] {
  return runtimeMethods.flatMap((method) => backends.map(([backend, all]) => ({ method, backend, ...all[method] })));
}

/** The table, then a line for every cell that is not simply real. */
function report(backends: readonly Column[]): readonly string[] {
  const header = ["METHOD", ...backends.map(([name]) => name.toUpperCase())];
  const rows = runtimeMethods.map((method, index) => [`${index + 1} ${method}`, ...backends.map(([, all]) => all[method].support)]);
  const reasons = cells(backends).flatMap(({ method, backend, support, reason }) =>
    reason === undefined ? [] : [`${method}, ${backend}: ${support}: ${reason}`],
  );
  return [formatTable([header, ...rows]), ...(reasons.length === 0 ? [] : ["", ...reasons])];
}
