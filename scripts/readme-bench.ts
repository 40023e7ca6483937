/** Puts `bench/results/latest.json` into the README, between its bench markers. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { MachineFacts } from "../bench/machine.ts";
import type { Result } from "../bench/measure.ts";
import { targetText } from "../bench/table.ts";

const root = join(import.meta.dirname, "..");
const results: readonly Result[] = JSON.parse(readFileSync(join(root, "bench", "results", "latest.json"), "utf8"));
const machine: MachineFacts = JSON.parse(readFileSync(join(root, "bench", "results", "latest.machine.json"), "utf8"));

/** What each contest does, in words. */
const work: Readonly<Record<string, string>> = {
  "run.bridge.vs-dockerd": "create, start, wait, remove `/bin/true` on the default bridge",
  "run.none.vs-dockerd": "the same without a network",
  "run.none.vs-crun": "the same against a bare `crun run`",
  "run.c8.vs-dockerd": "40 of the first, 8 at a time",
  "exec.vs-dockerd": "`/bin/true` in a running container, to its exit code",
  "exec.vs-crun": "the same against a bare `crun exec`",
  "pull.vs-dockerd": "pull and unpack 10 layers, 300 MB, 20,000 files, from loopback",
  "pull.rss": "memory at the peak of that pull (dockerd: growth)",
  "idle.rss": "memory of the monitor of one running container",
};

function row(result: Result): string {
  const { name, unit, berth, peer, peerName, ratio } = result;
  return `| ${work[name] ?? name} | **${figure(berth, unit)}** | ${figure(peer, unit)} (${peerName}) | ${ratio.toFixed(2)} | ${targetText(name)} |`;
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
