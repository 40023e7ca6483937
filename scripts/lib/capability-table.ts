import { type Capabilities, runtimeMethods } from "../../src/runtime/capabilities.ts";

export const tableMarks = { begin: "<!-- capabilities -->", end: "<!-- /capabilities -->" };

/** Method × backend as a Markdown table, then a line for every cell that has a reason. */
export function capabilityTable(backends: Readonly<Record<string, Capabilities>>): string {
  const names = Object.keys(backends);
  const rows = runtimeMethods.map((method, index) => [`${index + 1}`, `\`${method}\``, ...names.map((name) => backends[name]?.[method].support ?? "")]);
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const reasons = runtimeMethods.flatMap((method) =>
    names.flatMap((name) => {
      const { support, reason } = backends[name]?.[method] ?? {};
      return reason === undefined ? [] : [`- \`${method}\`, ${name}: ${support}: ${reason}`];
    }),
  );
  const head = ["#", "method", ...names];
  return [line(head), line(head.map(() => "---")), ...rows.map(line), ...(reasons.length === 0 ? [] : ["", ...reasons])].join("\n");
}
