/** The volumes facet, and the volumes of a container: at create, start, end and removal. */
import { BerthError, isBerthError, messageOf } from "../../errors.ts";
import { remedyOf } from "../../internal/disk-full.ts";
import { FileLock } from "../../internal/file-lock.ts";
import { sizesOfTrees } from "../../internal/tree-size.ts";
import type { ContainerMount } from "../../oci/mounts.ts";
import { matchesLabels } from "../../runtime/label-filter.ts";
import type { VolumeCreateOptions, VolumeDetails, VolumesFacet } from "../../runtime/extras.ts";
import { volumeName } from "../../spec/complete-storage.ts";
import { type ContainerId, parseContainerId } from "../../spec/container-id.ts";
import type { StorageSpec } from "../../spec/service-spec.ts";
import { copyUp } from "../../volumes/copy-up.ts";
import { mountMemory } from "../../volumes/memory-mounts.ts";
import type { Volume } from "../../volumes/types.ts";
import { noSuchVolume } from "../../volumes/volume-store.ts";
import type { ContainerRecord } from "./container-store.ts";
import { type NativeContext, pathsOf } from "./context.ts";
import { syncVolumes, volumeKey } from "./sync-calls.ts";
import { isRunning, settle } from "./run-state.ts";

type NamedStorage = Extract<StorageSpec, { readonly type: "named" }>;

export function volumesFacet(ctx: NativeContext): VolumesFacet {
  return {
    create: (options, o) => guarded("create", o?.signal, async () => details(ctx, await createVolume(ctx, options))),
    inspect: (name, o) => guarded("inspect", o?.signal, async () => details(ctx, mustGet(ctx, name))),
    list: (o) => guarded("list", o?.signal, async () => ctx.volumes.records.list().map((volume) => details(ctx, volume))),
    remove: (name, o) => guarded("remove", o?.signal, () => removeVolume(ctx, name, o?.force === true)),
    sync: (names, o) =>
      guarded("sync", o?.signal, async () => (await syncVolumes(ctx, names, o?.signal)).map(({ name, key, uploaded }) => ({ name, key, uploaded }))),
    prune: (o) => guarded("prune", o?.signal, () => pruneVolumes(ctx, o ?? {})),
  };
}

async function guarded<T>(what: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  signal?.throwIfAborted();
  try {
    return await work();
  } catch (cause) {
    if (isBerthError(cause) || signal?.aborted) throw cause;
    throw new BerthError("internal", `cannot ${what} a volume: ${messageOf(cause)}${remedyOf(cause)}`, { cause });
  }
}

function createVolume(ctx: NativeContext, o: VolumeCreateOptions): Promise<Volume> {
  if (o.driver !== undefined && o.driver !== "local") {
    throw new BerthError("unsupported", `volume driver ${JSON.stringify(o.driver)} is not supported; there is local`);
  }
  const name = o.name === undefined || o.name === "" ? undefined : volumeName(o.name, "name");
  return ctx.volumes.create(name, { labels: o.labels, options: o.options ?? {} });
}

function mustGet(ctx: NativeContext, name: string): Volume {
  const volume = ctx.volumes.get(volumeName(name, "name"));
  if (volume === undefined) throw noSuchVolume(name);
  return volume;
}

function details(ctx: NativeContext, volume: Volume): VolumeDetails {
  const users = ctx.volumes.records.usersOf(volume.name).flatMap((key) => ctx.store.get(key)?.hexId ?? []);
  const { name, labels, options, isAnonymous: anonymous } = volume;
  return { name, driver: "local", mountpoint: ctx.volumes.path(name), createdAt: new Date(volume.createdAt), labels, options, anonymous, usedBy: users };
}

async function removeVolume(ctx: NativeContext, name: string, force: boolean): Promise<void> {
  volumeName(name, "name");
  try {
    await ctx.volumes.remove(name);
  } catch (error) {
    if (!(force && isBerthError(error, "not_found"))) throw error;
  }
}

async function pruneVolumes(
  ctx: NativeContext,
  o: { readonly all?: boolean | undefined; readonly labels?: readonly string[] | undefined; readonly signal?: AbortSignal | undefined },
): ReturnType<VolumesFacet["prune"]> {
  const unused = ctx.volumes.records
    .list()
    .filter((volume) => (o.all || volume.isAnonymous) && matchesLabels(volume.labels, o.labels ?? []) && ctx.volumes.records.usersOf(volume.name).length === 0);
  const sizes = await sizesOfTrees(
    unused.map(({ name }) => ctx.volumes.path(name)),
    o.signal,
  );
  const deleted: string[] = [];
  let spaceReclaimed = 0;
  for (const [index, { name }] of unused.entries()) {
    o.signal?.throwIfAborted();
    if (!(await removedUnlessTaken(ctx, name))) continue;
    deleted.push(name);
    spaceReclaimed += sizes[index] ?? 0;
  }
  return { deleted, spaceReclaimed };
}

/** Meanwhile a container may have begun to use it, or somebody else removed it. */
async function removedUnlessTaken(ctx: NativeContext, name: string): Promise<boolean> {
  try {
    await ctx.volumes.remove(name);
    return true;
  } catch (error) {
    if (isBerthError(error, "conflict") || isBerthError(error, "not_found")) return false;
    throw error;
  }
}

export function namedStorage(storage: readonly StorageSpec[]): readonly NamedStorage[] {
  return storage.filter((entry) => entry.type === "named");
}

/** At create: the volumes are there, the container holds them, empty ones have the image's files. `root` mounts the container's root. */
export async function takeVolumes(
  ctx: NativeContext,
  user: string,
  o: { readonly storage: readonly StorageSpec[]; readonly anonymous: readonly string[]; readonly root: () => string },
): Promise<void> {
  for (const { name, target, nocopy } of namedStorage(o.storage)) {
    const isAnonymous = o.anonymous.includes(name);
    const restore = isAnonymous ? undefined : restoreFrom(ctx, user, name);
    const copy = nocopy ? undefined : (data: string): Promise<boolean> => copyUp(data, o.root(), target);
    const fill =
      restore === undefined && copy === undefined
        ? undefined
        : async (data: string): Promise<boolean> => (await restore?.(data)) === true || ((await copy?.(data)) ?? false);
    await ctx.volumes.take(name, user, { isAnonymous }, fill);
  }
}

/** What the remote store has of the volume, unless this engine knows it already: then an empty one was meant to be empty. */
function restoreFrom(ctx: NativeContext, user: string, name: string): ((data: string) => Promise<boolean>) | undefined {
  const { sync } = ctx;
  const id = parseContainerId(user);
  if (sync === undefined || id === undefined) return undefined;
  const key = volumeKey(id, name);
  if (ctx.volumes.get(name) !== undefined && sync.records.get(key) !== undefined) return undefined;
  return (data) => sync.restore(key, name, data);
}

/** At start: what is to be mounted for a volume of the spec. */
export async function mountVolumes(ctx: NativeContext, record: ContainerRecord): Promise<void> {
  const { spec, anonymousVolumes } = record.facts;
  for (const { name } of namedStorage(spec.storage)) {
    // The record of a container keeps its volumes; this is for state of before there were records.
    if (ctx.volumes.get(name) === undefined) await ctx.volumes.take(name, record.key, { isAnonymous: anonymousVolumes.includes(name) });
    ctx.volumes.ensureDirectory(name);
    await mountMemory(ctx.volumes, name, record.key);
  }
}

export function volumeMount(ctx: NativeContext, entry: NamedStorage): ContainerMount {
  const { target } = entry;
  const source = ctx.volumes.source(entry.name);
  const readonly = entry.readonly === true;
  switch (source.kind) {
    case "directory":
    case "memory":
      return { kind: "bind", source: ctx.volumes.path(entry.name), target, readonly };
    case "bind":
      return { kind: "bind", source: source.device, target, readonly: readonly || source.readonly };
    case "nfs":
      return { kind: "file system", type: source.type, source: source.device, target, options: [...source.options, ...(readonly ? ["ro"] : [])] };
    default:
      return source satisfies never;
  }
}

/** Whether a container may be running: its record says so, or some process is at work on it. */
export function mayRun(ctx: NativeContext, key: string): boolean {
  const record = ctx.store.get(key);
  if (record === undefined) return false;
  return isRunning(settle(ctx, record)) || isBusy(ctx, record.facts.id);
}

/** Whether a container exists or is just being made. */
export function mayExist(ctx: NativeContext, key: string): boolean {
  if (ctx.store.get(key) !== undefined) return true;
  const id = parseContainerId(key);
  return id !== undefined && isBusy(ctx, id);
}

function isBusy(ctx: NativeContext, id: ContainerId): boolean {
  using lock = FileLock.tryAcquire(pathsOf(ctx, id).lock);
  return lock === undefined;
}
