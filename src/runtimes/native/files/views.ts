/** From a container's record to what a files worker shall see of it. */
import { closeSync, existsSync, openSync } from "node:fs";
import { BerthError } from "../../../errors.ts";
import type { Image } from "../../../images/image-records.ts";
import { isAlive } from "../../../internal/process-identity.ts";
import type { ContainerId } from "../../../spec/container-id.ts";
import type { StorageSpec } from "../../../spec/service-spec.ts";
import type { ContainerRecord } from "../container-store.ts";
import { mustGet, type NativeContext, pathsOf, serialised } from "../context.ts";
import type { ContainerPaths } from "../layout.ts";
import { isRunning, mainProcess, settle } from "../run-state.ts";
import { volumeMount } from "../volume-calls.ts";
import type { RunningJob } from "./files-pool.ts";
import type { BoundMount, DiffView, RootView, StoppedRoot } from "./jobs.ts";

export type StartJob = (view: RootView, record: ContainerRecord) => RunningJob;

/** Throws `not_found`, and `conflict` while the container is being removed. */
export function readableRecord(ctx: NativeContext, id: ContainerId): ContainerRecord {
  const record = settle(ctx, mustGet(ctx, id));
  if (ctx.removing.has(record.key)) throw new BerthError("conflict", `container ${record.key} is being removed`);
  return record;
}

/** Starts a job that only reads. It waits for nothing and makes nobody wait. */
export function startReading(ctx: NativeContext, record: ContainerRecord, mounts: RootView["mounts"], start: StartJob): RunningJob {
  return startRunning(record, { mounts, writable: false }, start) ?? start(stoppedView(ctx, record, { mounts, writable: false }), record);
}

/**
 * Starts a job that writes and resolves when it is done. A container that does not run cannot be started, removed or
 * written by another meanwhile: its layer may be mounted for writing only once.
 */
export async function runWriting(ctx: NativeContext, id: ContainerId, start: StartJob): Promise<void> {
  const choice = { mounts: "all", writable: true } as const;
  const running = startRunning(readableRecord(ctx, id), choice, start);
  if (running !== undefined) return await running.done;
  // The answer does not wait until the mount is gone, which may take as long as the disk needs for what else is to be written.
  const answered = Promise.withResolvers<void>();
  const whole = serialised(ctx, id, async () => {
    const record = readableRecord(ctx, id);
    const job = startRunning(record, choice, start) ?? start(stoppedView(ctx, record, choice), record);
    job.done.then(answered.resolve, answered.reject);
    await job.left;
  });
  whole.catch(answered.reject);
  await answered.promise;
}

type Choice = Pick<RootView, "mounts" | "writable">;

/** `undefined` when the container does not run, or no longer. */
function startRunning(record: ContainerRecord, choice: Choice, start: StartJob): RunningJob | undefined {
  const main = mainProcess(record.run);
  if (!isRunning(record) || main === undefined) return undefined;
  let namespace: number;
  try {
    namespace = openSync(`/proc/${main.pid}/ns/mnt`, "r");
  } catch {
    return undefined;
  }
  try {
    // Only now is it certain that the descriptor is of this very process.
    if (!isAlive(main)) {
      closeSync(namespace);
      return undefined;
    }
    const job = start({ ...choice, root: { kind: "running", namespace }, targets: targetsOf(record) }, record);
    void job.left.then(() => closeSync(namespace));
    return job;
  } catch (error) {
    closeSync(namespace);
    throw error;
  }
}

function targetsOf({ facts }: ContainerRecord): string[] {
  return facts.spec.storage.map(({ target }) => target);
}

function stoppedView(ctx: NativeContext, record: ContainerRecord, choice: Choice): RootView {
  return { ...choice, root: stoppedRoot(ctx, record, choice), targets: targetsOf(record) };
}

const runtimeMounts = ["/dev", "/proc", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];

export function diffView(ctx: NativeContext, record: ContainerRecord): DiffView {
  const { upper, merged } = pathsOf(ctx, record.facts.id);
  return { lower: ctx.images.layerPaths(imageOf(ctx, record)), upper, scratch: merged, mountPoints: [...runtimeMounts, ...targetsOf(record)] };
}

export function imageOf(ctx: NativeContext, record: ContainerRecord): Image {
  const image = ctx.images.get(record.imageId);
  if (image === undefined) throw new BerthError("internal", `image ${record.imageId} of container ${record.name} is gone from the store`);
  return image;
}

function stoppedRoot(ctx: NativeContext, record: ContainerRecord, choice: Choice): StoppedRoot {
  const { spec } = record.facts;
  const paths = pathsOf(ctx, record.facts.id);
  return {
    kind: "stopped",
    lower: ctx.images.layerPaths(imageOf(ctx, record)),
    upper: paths.upper,
    work: paths.work,
    scratch: paths.merged,
    isReadonly: spec.readOnlyRootFs,
    binds: choice.mounts === "none" ? [] : boundMounts(ctx, spec.storage, paths),
  };
}

/** Parents before children, as at a start. What is in memory or on another machine is there only while the container runs. */
function boundMounts(ctx: NativeContext, storage: readonly StorageSpec[], paths: ContainerPaths): BoundMount[] {
  const own = storage.flatMap((entry): BoundMount[] => {
    if (entry.type === "bind") return [{ source: entry.source, target: entry.target, readonly: entry.readonly === true }];
    if (entry.type !== "named" || ctx.volumes.source(entry.name).kind === "memory") return [];
    const mount = volumeMount(ctx, entry);
    return mount.kind === "bind" ? [mount] : [];
  });
  const files = [
    { source: paths.hosts, target: "/etc/hosts" },
    { source: paths.hostnameFile, target: "/etc/hostname" },
    { source: paths.resolvConf, target: "/etc/resolv.conf" },
  ].filter(({ source, target }) => existsSync(source) && !own.some((mount) => mount.target === target));
  const all = [...own, ...files.map((file) => ({ ...file, readonly: false, isOptional: true }))];
  return all.sort((a, b) => a.target.split("/").length - b.target.split("/").length);
}
