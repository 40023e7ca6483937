/** Puts `bench/results/latest.json` into the README, between its bench markers. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { MachineFacts } from "../bench/machine.ts";
import type { Result } from "../bench/measure.ts";
import { rowWork } from "../bench/row-work.ts";
import { targetText } from "../bench/table.ts";

const root = join(import.meta.dirname, "..");
const results: readonly Result[] = JSON.parse(readFileSync(join(root, "bench", "results", "latest.json"), "utf8"));
const machine: MachineFacts = JSON.parse(readFileSync(join(root, "bench", "results", "latest.machine.json"), "utf8"));

function row(result: Result): string {
  const { name, unit, berth, peer, peerName, ratio } = result;
  // These measure nothing of the peer: its figure in the result file is the bound.
  const [theirs, compared] = name.endsWith(".2gib.rss") ? ["not measured", "—"] : [`${figure(peer, unit)} (${peerName})`, ratio.toFixed(2)];
  return `| ${rowWork[name] ?? name} | **${figure(berth, unit)}** | ${theirs} | ${compared} | ${targetText(name)} |`;
}

function figure(value: number, unit: string): string {
  return `${value >= 100 ? Math.round(value).toLocaleString("en") : value} ${unit}`;
}

const { date, cpu, cores, memoryGb, kernel, versions } = machine;
const versionText = Object.entries(versions)
  .map(([program, version]) => `${program} ${version}`)
  .join(", ");
const table = [
  "| work | Berth | peer | ratio | goal |",
  "|---|---|---|---|---|",
  ...results.map(row),
  "",
  `${date}, ${cpu}, ${cores} cores, ${memoryGb} GB, Linux ${kernel}; ${versionText}.`,
].join("\n");

const readme = join(root, "README.md");
const page = readFileSync(readme, "utf8");
writeFileSync(
  readme,
  page.replace(/<!-- bench -->[\s\S]*<!-- \/bench -->/, () => `<!-- bench -->\n${table}\n<!-- /bench -->`),
);
