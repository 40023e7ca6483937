/** A `berth serve` of the bench's own, as `npm run build` made it. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type EngineProcess, startEngine } from "./engine-process.ts";

const program = join(import.meta.dirname, "..", "dist", "cli", "main.js");

/** Where a daemon in `dir` keeps its state: for whoever opens that as a library beside it. */
export function serveRoots(dir: string): { readonly root: string; readonly runDir: string } {
  return { root: join(dir, "root"), runDir: join(dir, "run") };
}

/** Starts the daemon and waits until it answers. Its containers outlive it: remove them before the last stop. */
export async function startBerthServe(dir: string): Promise<EngineProcess> {
  mkdirSync(dir, { recursive: true });
  const socket = join(dir, "docker.sock");
  const { root, runDir } = serveRoots(dir);
  return startEngine({
    program: process.execPath,
    args: [program, "--root", root, "--run-dir", runDir, "--runtime", "crun", "--backend", "native", "serve", "-H", `unix://${socket}`],
    socket,
    log: join(dir, "serve.log"),
    cleanUp: () => {},
  });
}
