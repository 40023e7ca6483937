/** Kills one operation at all its points, one after the other. Runs in namespaces of its own; a failure is told on stderr. */
import { spawn } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openRuntime, type Runtime, standaloneId } from "../../../src/index.ts";
import { pushDemoImage } from "../demo.ts";
import { startRegistry } from "../registry-server.ts";
import { audit } from "./audit.ts";
import { type Operation, operations } from "./table.ts";

const [wanted, base = ""] = process.argv.slice(2);
const run = process.env["BERTH_CRASH_RUN"] ?? "";
const operation = operations.find(({ name }) => name === wanted);
if (operation === undefined) throw new Error(`there is no operation ${wanted}`);

const registry = await startRegistry();
try {
  process.stdout.write(`${await killEverywhere(operation, await pushDemoImage(registry.host))}\n`);
} finally {
  await registry.close();
}

function open(root: string): Promise<Runtime> {
  return openRuntime({ backend: "native", root, runDir: join(root, "run") });
}

async function killEverywhere(one: Operation, image: string): Promise<string> {
  const shared = join(base, "state");
  if (!one.ownState) {
    await using runtime = await open(shared);
    await runtime.pullImage(image);
  }
  // Undisturbed first, to know how long it takes here and now.
  const undisturbed = [];
  for (const label of ["first", "second"]) undisturbed.push(await point(one, image, shared, label, Number.POSITIVE_INFINITY));
  let tookMs = Math.min(...undisturbed.map((run) => run.tookMs));
  let interrupted = 0;
  for (let index = 0; index < one.points; index++) {
    const delayMs = (tookMs * (index + 0.5)) / one.points;
    const killed = await point(one, image, shared, String(index), delayMs);
    // A machine that has become faster meanwhile.
    if (killed.hadEnded) tookMs = Math.min(tookMs, killed.tookMs);
    else interrupted++;
  }
  if (interrupted === 0) throw new Error(`no kill fell into ${one.name}, which took ${tookMs} ms`);
  return `${one.points} kills, ${interrupted} in the middle of ${tookMs.toFixed(0)} ms`;
}

interface Killed {
  readonly hadEnded: boolean;
  readonly tookMs: number;
}

async function point(one: Operation, image: string, shared: string, label: string, delayMs: number): Promise<Killed> {
  const root = one.ownState ? join(base, `state-${label}`) : shared;
  const name = `crash${run}-${label}`;
  const dir = join(base, `files-${label}`);
  mkdirSync(dir);
  const killed = await killDuring(one, [root, image, one.name, name, dir], delayMs);
  try {
    await using runtime = await open(root);
    await audit(runtime, root);
    await one.after({ runtime, image, name, id: standaloneId(name), dir });
    await audit(runtime, root);
  } catch (cause) {
    throw new Error(`${one.name} killed at point ${label} of ${one.points}, ${delayMs.toFixed(1)} ms after it began`, { cause });
  }
  for (const path of [dir, ...(one.ownState ? [root] : [])]) rmSync(path, { recursive: true, force: true });
  return killed;
}

/** Kills the process `delayMs` after the operation began, or once it has ended. */
async function killDuring(one: Operation, args: readonly string[], delayMs: number): Promise<Killed> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "victim.ts"), ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const [begun, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    if (output.includes("begin")) begun.resolve();
    if (/end [\d.]+\n/.test(output)) ended.resolve();
  });
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  await Promise.race([begun.promise, gone]);
  await Promise.race([ended.promise, gone, ...(Number.isFinite(delayMs) ? [sleep(delayMs)] : [])]);
  child.kill("SIGKILL");
  await gone;
  if (!output.includes("begin")) throw new Error(`${one.name} did not come to its beginning`);
  const tookMs = Number(/end ([\d.]+)/.exec(output)?.[1] ?? Number.NaN);
  if (!Number.isFinite(delayMs) && Number.isNaN(tookMs)) throw new Error(`${one.name} failed undisturbed`);
  return { hadEnded: output.includes("end "), tookMs };
}
