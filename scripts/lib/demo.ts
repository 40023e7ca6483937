/** The last step of the quickstart: an image built by code goes into a registry, and `berth run` brings it to life. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startRegistry } from "../../test/support/registry-server.ts";
import { pushWelcomeImage } from "./demo-image.ts";
import { isIsolated, runIsolated } from "./isolate.ts";

const cli = join(import.meta.dirname, "..", "..", "dist", "cli", "main.js");

process.exitCode = isIsolated() ? await demo() : runIsolated();

async function demo(): Promise<number> {
  await using undo = new AsyncDisposableStack();
  const state = mkdtempSync(join(tmpdir(), "berth-quickstart-"));
  undo.defer(() => rmSync(state, { recursive: true, force: true }));
  const registry = await startRegistry();
  undo.defer(() => registry.close());
  say(`started a registry on ${registry.host}`);
  const image = await pushWelcomeImage(registry.host, "demo");
  say(`built an image and pushed it as ${image}`);
  return run(["run", "--rm", image], state);
}

function run(args: readonly string[], state: string): number {
  const line = ["berth", ...args].join(" ");
  process.stdout.write(`\n${process.stdout.isTTY ? `\x1b[1m$ ${line}\x1b[0m` : `$ ${line}`}\n`);
  const env = { ...process.env, BERTH_ROOT: join(state, "root"), BERTH_RUN_DIR: join(state, "run") };
  return spawnSync(process.execPath, [cli, ...args], { stdio: "inherit", env }).status ?? 1;
}

function say(text: string): void {
  process.stdout.write(process.stdout.isTTY ? `\x1b[2m→\x1b[0m ${text}\n` : `→ ${text}\n`);
}
