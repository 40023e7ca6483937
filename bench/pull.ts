/** The pull contest: each pull goes into an empty store on a fresh file system; answers milliseconds and peak memory. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { dockerPull } from "./docker-work.ts";
import { startDockerd } from "./dockerd.ts";
import { freshDisk } from "./fresh-disk.ts";
import { treeRss, watchPeak } from "./memory.ts";
import { Scope } from "./scope.ts";

/** Memory is everything the pulling process and its children hold, Node itself included. */
export async function berthPull(dir: string, image: string): Promise<readonly number[]> {
  const disk = freshDisk(join(dir, "pull-berth"));
  const runDir = join(dir, "pull-berth-run");
  try {
    const child = spawn(process.execPath, [join(import.meta.dirname, "pull-child.mjs"), join(disk.path, "root"), runDir, image], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const peak = watchPeak(child.pid ?? 0);
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
    const [code] = await once(child, "close");
    const megabytes = peak.stop();
    if (code !== 0) throw new Error(`berth pull: exit code ${code}`);
    return [Number(text), megabytes];
  } finally {
    disk.close();
    rmSync(runDir, { recursive: true, force: true });
  }
}

/** Memory is what dockerd and its containerd grew by. */
export async function dockerdPull(dir: string, image: string): Promise<readonly number[]> {
  const scope = new Scope();
  try {
    const disk = freshDisk(join(dir, "pull-dockerd"));
    scope.defer(() => disk.close());
    const home = join(dir, "pull-dockerd-run");
    scope.defer(() => rmSync(home, { recursive: true, force: true }));
    const engine = await startDockerd(home, { dataRoot: join(disk.path, "data") });
    scope.defer(() => engine.stop());
    const before = treeRss(engine.pid);
    const peak = watchPeak(engine.pid);
    const begun = performance.now();
    await dockerPull(engine, image);
    const milliseconds = performance.now() - begun;
    return [milliseconds, peak.stop() - before];
  } finally {
    await scope.close();
  }
}
