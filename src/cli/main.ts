#!/usr/bin/env node
/** Entry of the `berth` program. `--version` is answered before anything is loaded: it costs no more than Node itself. */
import { version } from "../version.ts";

const args = process.argv.slice(2);

if (args.length === 1 && (args[0] === "--version" || args[0] === "-v")) {
  process.stdout.write(`berth version ${version}\n`);
} else {
  await run();
}

async function run(): Promise<void> {
  const [{ runCli }, { processHost }] = await Promise.all([import("./program.ts"), import("./host.ts")]);
  // A reader that goes away is noticed where the write fails; without a listener the event alone would end us with a stack.
  process.stdout.on("error", () => {});
  process.stderr.on("error", () => {});
  // Nothing of what a command left behind, such as an open stdin, shall keep the process.
  process.exit(await runCli(args, processHost));
}
