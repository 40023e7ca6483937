import { chmodSync, chownSync, mkdirSync, rmSync, statSync } from "node:fs";
import { BerthError, isBerthError, messageOf } from "../../errors.ts";
import type { Image } from "../../images/image-records.ts";
import { remedyOf } from "../../internal/disk-full.ts";
import { MNT_DETACH, unmount } from "../../internal/libc.ts";
import { performMount } from "../../internal/mount.ts";
import { resolveArgv } from "../../oci/process.ts";
import type { MountDetail } from "../../runtime/types.ts";
import { completeSpec, resolveEnvironment } from "../../spec/complete-spec.ts";
import { type ContainerId, hexId, initialName, shortId } from "../../spec/container-id.ts";
import type { CompleteSpec, ServiceSpec } from "../../spec/service-spec.ts";
import { overlayMount } from "../../snapshots/overlay.ts";
import { anonymousName } from "../../volumes/volume-store.ts";
import { joinNetworks } from "./container-network.ts";
import type { ContainerFacts, ContainerRecord } from "./container-store.ts";
import { imageNotFound, type NativeContext, serialised } from "./context.ts";
import type { ContainerPaths } from "./layout.ts";
import { choosePort, takesPort } from "./port-override.ts";
import { tearDown } from "./tear-down.ts";
import { takeVolumes } from "./volume-calls.ts";

/** Method 3. Everything that can be wrong with the arguments is found before anything is made. */
export async function createContainer(ctx: NativeContext, id: ContainerId, input: ServiceSpec): Promise<void> {
  const { spec, warnings } = completeSpec(input);
  const image = ctx.images.find(spec.image.name);
  if (image === undefined) throw imageNotFound(spec.image.name);
  const command = resolveArgv(spec.command, image.config.config);
  resolveEnvironment(spec.env, process.env, (name) => ctx.secrets.value(name));
  checkReferences(ctx, spec);
  const storage = planStorage(spec, image);
  const hex = hexId(ctx.uuid, id);
  await serialised(ctx, id, async (paths) => {
    const name = initialName(id);
    if (ctx.store.get(paths.key) !== undefined) throw new BerthError("conflict", `container ${paths.key} already exists`);
    const holder = ctx.store.byName(name);
    if (holder !== undefined) throw nameInUse(name, holder);
    const facts: ContainerFacts = {
      id,
      imageReference: spec.image.name,
      spec: { ...spec, storage: storage.specs },
      command,
      hostname: spec.networkMode.mode === "host" ? ctx.host.hostname : (spec.hostname ?? shortId(hex)),
      createdAt: Date.now(),
      warnings,
      mounts: storage.specs.map((entry) => mountDetail(ctx, entry)),
      anonymousVolumes: storage.anonymous,
    };
    const record: ContainerRecord = { key: paths.key, hexId: hex, name, imageId: image.id, facts, run: { status: "created", starts: 0, exits: 0 } };
    // Nobody removes the image before the container's record says that it is used.
    const made = await ctx.images
      .holding(image.id, async () => {
        await make(ctx, paths, image, record);
        return true;
      })
      .catch((cause: unknown) => {
        throw isBerthError(cause) ? cause : createFailed(record, cause);
      });
    if (made === undefined) throw imageNotFound(spec.image.name);
  });
}

export function nameInUse(name: string, holder: ContainerRecord): BerthError {
  return new BerthError(
    "conflict",
    `the container name ${JSON.stringify(name)} is already in use by container ${shortId(holder.hexId)}; remove it or take another name`,
    { container: holder.key },
  );
}

/** Directories first, the record last: what has no record was never acknowledged and is cleaned by whoever finds it. */
async function make(ctx: NativeContext, paths: ContainerPaths, image: Image, record: ContainerRecord): Promise<void> {
  const { storage } = record.facts.spec;
  try {
    await tearDown(ctx, paths);
    rmSync(paths.directory, { recursive: true, force: true });
    makeDirectories(ctx, paths, image);
    let isMounted = false;
    const root = (): string => {
      if (!isMounted) mountRoot(ctx, paths, image.id);
      isMounted = true;
      return paths.merged;
    };
    await takeVolumes(ctx, paths.key, { storage, anonymous: record.facts.anonymousVolumes, root });
    if (isMounted) unmount(paths.merged, MNT_DETACH);
    ctx.store.atomically(() => {
      const port = takesPort(record.facts.id, record.facts.spec) ? { portOverride: choosePort(ctx.store) } : {};
      ctx.store.insert({ ...record, facts: { ...record.facts, ...port } });
      joinNetworks(ctx, record);
      ctx.journal.recordContainer(record, "create");
    });
  } catch (cause) {
    unmount(paths.merged, MNT_DETACH);
    rmSync(paths.directory, { recursive: true, force: true });
    await ctx.volumes.release(paths.key);
    if (isBerthError(cause)) throw cause;
    if (/UNIQUE constraint failed: containers\.name/.test(messageOf(cause)))
      throw new BerthError("conflict", `the container name ${record.name} is already in use`);
    throw createFailed(record, cause);
  }
}

function createFailed(record: ContainerRecord, cause: unknown): BerthError {
  const reason = messageOf(cause);
  return new BerthError("create_failed", `cannot create container ${record.name}: ${reason}${remedyOf(cause)}`, { id: record.key, reason, cause });
}

function makeDirectories(ctx: NativeContext, paths: ContainerPaths, image: Image): void {
  for (const directory of [paths.directory, paths.upper, paths.work, paths.merged]) mkdirSync(directory, { recursive: true, mode: 0o700 });
  // The root of an overlay takes owner and mode from its upper directory.
  const top = ctx.images.layerPaths(image)[0];
  const { mode, uid, gid } = top === undefined ? { mode: 0o755, uid: 0, gid: 0 } : statSync(top);
  chownSync(paths.upper, uid, gid);
  chmodSync(paths.upper, mode & 0o7777);
}

/** Mounts the container's root file system at its `merged` directory. */
export function mountRoot(ctx: NativeContext, paths: ContainerPaths, imageId: string): void {
  const image = ctx.images.get(imageId);
  if (image === undefined)
    throw new BerthError("start_failed", `image ${imageId} of container ${paths.key} is gone from the store`, { reason: "image is gone" });
  // After a power cut the directories may be missing though the record is there: they were empty then.
  for (const directory of [paths.upper, paths.work, paths.merged]) mkdirSync(directory, { recursive: true, mode: 0o755 });
  performMount(overlayMount({ lower: ctx.images.layerPaths(image), upper: paths.upper, work: paths.work, target: paths.merged }));
}

function checkReferences(ctx: NativeContext, spec: CompleteSpec): void {
  for (const entry of spec.storage) if (entry.type === "bind") checkBindSource(entry.source);
  for (const { name, ...member } of spec.networks) ctx.network.checkMember({ network: name, ...member });
}

/** Anonymous volumes and the image's VOLUMEs get a name of their own and are plain volumes from here on. */
function planStorage(spec: CompleteSpec, image: Image): { specs: CompleteSpec["storage"]; anonymous: string[] } {
  const anonymous: string[] = [];
  const name = (): string => {
    const generated = anonymousName();
    anonymous.push(generated);
    return generated;
  };
  const targets = new Set(spec.storage.map((entry) => entry.target));
  const fromImage = image.config.config.volumes
    .filter((target) => target.startsWith("/") && target !== "/" && !targets.has(target.replace(/\/+$/, "")))
    .map((target) => ({ type: "named" as const, name: name(), target: target.replace(/\/+$/, "") }));
  const own = spec.storage.map((entry) => (entry.type === "anonymous" ? { type: "named" as const, name: name(), target: entry.target } : entry));
  return { specs: [...fromImage, ...own], anonymous };
}

function mountDetail(ctx: NativeContext, entry: CompleteSpec["storage"][number]): MountDetail {
  const readonly = "readonly" in entry && entry.readonly === true;
  if (entry.type === "named") return { type: "volume", name: entry.name, source: ctx.volumes.path(entry.name), target: entry.target, readonly };
  if (entry.type === "bind") return { type: "bind", source: entry.source, target: entry.target, readonly };
  return { type: "tmpfs", source: "tmpfs", target: entry.target, readonly };
}

/** Host directory or file of a bind mount. Throws `invalid_spec` when it is missing. */
function checkBindSource(source: string): "directory" | "file" {
  const found = statSync(source, { throwIfNoEntry: false });
  if (found === undefined) throw new BerthError("invalid_spec", `bind source path does not exist: ${source}; create it first`);
  return found.isDirectory() ? "directory" : "file";
}
