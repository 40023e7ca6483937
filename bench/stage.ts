/** What the contests share, each part made when the first of them asks for it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRuntime, type Runtime } from "berth";
import { startRegistry } from "../test/support/registry-server.ts";
import { type BareRuntime, bareRuntime } from "./bare-crun.ts";
import { startBerthServe } from "./berth-serve.ts";
import { type Crowd, makeCrowd } from "./crowd.ts";
import { dockerPull, dockerRemoveAll } from "./docker-work.ts";
import { startDockerd } from "./dockerd.ts";
import type { EngineProcess } from "./engine-process.ts";
import { pushBusybox, pushPullImage } from "./images.ts";
import type { Scope } from "./scope.ts";

export interface Stage {
  readonly dir: string;
  readonly scope: Scope;
  /** Reference of the busybox image; every engine below has pulled it. */
  busybox(): Promise<string>;
  pullImage(): Promise<string>;
  berth(): Promise<Runtime>;
  dockerd(): Promise<EngineProcess>;
  /** `berth serve`, with a state of its own. */
  daemon(): Promise<EngineProcess>;
  /** Engines of their own, full of containers. */
  crowd(): Promise<Crowd>;
  crun(): Promise<BareRuntime>;
}

export function openStage(scope: Scope): Stage {
  const dir = mkdtempSync(join(tmpdir(), "berth-bench-"));
  scope.defer(() => rmSync(dir, { recursive: true, force: true }));
  const registry = once(async () => {
    const server = await startRegistry();
    scope.defer(() => server.close());
    return server.host;
  });
  const busybox = once(async () => pushBusybox(await registry()));
  return {
    dir,
    scope,
    busybox,
    pullImage: once(async () => pushPullImage(await registry())),
    berth: once(async () => berth(dir, scope, await busybox())),
    dockerd: once(async () => dockerd(dir, scope, await busybox())),
    daemon: once(async () => daemon(dir, scope, await busybox())),
    crowd: once(async () => makeCrowd(dir, scope, await busybox())),
    crun: once(async () => bareRuntime("crun", join(dir, "crun"))),
  };
}

async function berth(dir: string, scope: Scope, image: string): Promise<Runtime> {
  const runtime = await openRuntime({ backend: "native", root: join(dir, "berth"), runDir: join(dir, "berth-run"), ociRuntime: "crun" });
  scope.defer(() => runtime.close());
  await runtime.pullImage(image);
  return runtime;
}

async function daemon(dir: string, scope: Scope, image: string): Promise<EngineProcess> {
  const engine = await startBerthServe(join(dir, "daemon"));
  scope.defer(() => engine.stop());
  scope.defer(() => dockerRemoveAll(engine));
  await dockerPull(engine, image);
  return engine;
}

async function dockerd(dir: string, scope: Scope, image: string): Promise<EngineProcess> {
  const engine = await startDockerd(join(dir, "dockerd"));
  scope.defer(() => engine.stop());
  await dockerPull(engine, image);
  return engine;
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
