/**
 * `npm run bench [-- --only name,name] [--json FILE]`: Berth against dockerd and the bare OCI runtime, in turn, in one run.
 * Measures what `npm run build` made, as users get it. Needs root, dockerd, crun, conmon and docker-registry; leaves nothing behind.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { contests } from "./contests.ts";
import { isIsolated, runIsolated } from "../scripts/lib/isolate.ts";
import { machineFacts } from "./machine.ts";
import { measure, type Result } from "./measure.ts";
import { Scope } from "./scope.ts";
import { openStage } from "./stage.ts";
import { resultTable } from "./table.ts";

const results = join(import.meta.dirname, "results");

const { values } = parseArgs({ options: { only: { type: "string" }, json: { type: "string", default: join(results, "latest.json") } } });
process.exitCode = isIsolated() ? await main(values.only?.split(","), values.json) : supervise();

function supervise(): number {
  if (process.getuid?.() !== 0) {
    process.stderr.write("the bench starts containers and a dockerd of its own: run it as root\n");
    return 1;
  }
  return runIsolated();
}

async function main(only: readonly string[] | undefined, file: string): Promise<number> {
  const names = contests.flatMap((contest) => contest.rows.map((row) => row.name));
  const unknown = only?.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    process.stderr.write(`no contest is called ${unknown}; there are ${names.join(", ")}\n`);
    return 1;
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file.replace(/(\.json)?$/, ".machine.json"), `${JSON.stringify(machineFacts(), null, 2)}\n`);
  // After every contest: a long run that is cut off keeps what it measured.
  const done = await runContests(only ?? names, (results) => writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`));
  process.stdout.write(`\n${resultTable(done)}\n`);
  return done.length === (only ?? names).length ? 0 : 1;
}

/** A contest that fails is reported and does not keep the others from running. */
async function runContests(wanted: readonly string[], keep: (results: readonly Result[]) => void): Promise<Result[]> {
  const scope = new Scope();
  const done: Result[] = [];
  try {
    const stage = openStage(scope);
    for (const contest of contests.filter(({ rows }) => rows.some(({ name }) => wanted.includes(name)))) {
      const title = contest.rows.map(({ name }) => name).join(", ");
      process.stderr.write(`${title} …\n`);
      try {
        done.push(...(await measure(contest, stage)).filter(({ name }) => wanted.includes(name)));
        keep(done);
      } catch (error) {
        process.stderr.write(`${title} failed: ${error instanceof Error ? error.stack : String(error)}\n`);
      }
    }
  } finally {
    await scope.close();
  }
  return done;
}
