/** The contests of images as archives: each load goes into an empty store on a fresh file system, saves come from a full one. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream, createWriteStream, rmSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Sides } from "./contests.ts";
import { dockerPull } from "./docker-work.ts";
import { startDockerd } from "./dockerd.ts";
import { freshDisk } from "./fresh-disk.ts";
import { watchPeak } from "./memory.ts";
import { Scope } from "./scope.ts";
import type { Stage } from "./stage.ts";
import { timed } from "./timing.ts";

/** The pull image as `docker save` writes it: what both sides load. */
export async function dockerArchive(stage: Stage): Promise<string> {
  const [engine, image] = [await stage.dockerd(), await stage.pullImage()];
  await dockerPull(engine, image);
  const path = join(stage.dir, "pull-image.tar");
  await pipeline(await engine.client.stream("GET", `/images/get?names=${encodeURIComponent(image)}`), createWriteStream(path));
  return path;
}

export type ArchiveStep = "load" | "save" | "import" | "export" | "commit";

/** Milliseconds, and megabytes of everything the process held, Node itself included. */
export async function berthArchiveStep(step: ArchiveStep, root: string, runDir: string, what: string): Promise<readonly [number, number]> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "archive-child.mjs"), step, root, runDir, what], { stdio: ["ignore", "pipe", "inherit"] });
  const peak = watchPeak(child.pid ?? 0);
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => (text += part));
  const [code] = await once(child, "close");
  const megabytes = peak.stop();
  if (code !== 0) throw new Error(`berth ${step}: exit code ${code}`);
  return [Number(text), megabytes];
}

export async function berthLoad(dir: string, file: string): Promise<readonly number[]> {
  const disk = freshDisk(join(dir, "load-berth"));
  const runDir = join(dir, "load-berth-run");
  try {
    return await berthArchiveStep("load", join(disk.path, "root"), runDir, file);
  } finally {
    disk.close();
    rmSync(runDir, { recursive: true, force: true });
  }
}

export async function dockerdLoad(dir: string, file: string): Promise<readonly number[]> {
  const scope = new Scope();
  try {
    const disk = freshDisk(join(dir, "load-dockerd"));
    scope.defer(() => disk.close());
    const home = join(dir, "load-dockerd-run");
    scope.defer(() => rmSync(home, { recursive: true, force: true }));
    const engine = await startDockerd(home, { dataRoot: join(disk.path, "data") });
    scope.defer(() => engine.stop());
    const before = watchPeak(engine.pid).stop();
    const peak = watchPeak(engine.pid);
    const begun = performance.now();
    await drain(await engine.client.stream("POST", "/images/load?quiet=1", createReadStream(file, { highWaterMark: 1 << 20 })));
    return [performance.now() - begun, peak.stop() - before];
  } finally {
    await scope.close();
  }
}

/** What the image is saved from is made once; the bytes go nowhere. */
export async function saveSides(stage: Stage): Promise<Sides> {
  const [runtime, engine, image] = [await stage.berth(), await stage.dockerd(), await stage.pullImage()];
  await runtime.pullImage(image);
  await dockerPull(engine, image);
  return {
    berth: timed(async () => drain(await runtime.saveImages([image]))),
    peer: timed(async () => drain(await engine.client.stream("GET", `/images/get?names=${encodeURIComponent(image)}`))),
  };
}

const largeBytes = 2 * 1024 ** 3;

/** Import, save, load, export and commit of one layer of 2 GiB; answers the peak memory of each. */
export async function berthLargeArchive(dir: string): Promise<readonly number[]> {
  const disk = freshDisk(join(dir, "large-berth"), 12e9);
  const runDir = join(dir, "large-berth-run");
  try {
    const [one, two, file] = [join(disk.path, "one"), join(disk.path, "two"), join(disk.path, "large.tar")];
    const imported = await berthArchiveStep("import", one, runDir, String(largeBytes));
    const { openRuntime } = await import("berth");
    await using runtime = await openRuntime({ backend: "native", root: one, runDir });
    await pipeline(await runtime.saveImages(["bench/zeros"]), createWriteStream(file));
    const saved = await berthArchiveStep("save", one, runDir, "bench/zeros");
    const loaded = await berthArchiveStep("load", two, `${runDir}-two`, file);
    rmSync(file);
    const exported = await berthArchiveStep("export", one, runDir, "bench/zeros");
    const committed = await berthArchiveStep("commit", one, runDir, String(largeBytes));
    return [imported, saved, loaded, exported, committed].map(([, megabytes]) => megabytes);
  } finally {
    disk.close();
    for (const path of [runDir, `${runDir}-two`]) rmSync(path, { recursive: true, force: true });
  }
}

async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}
