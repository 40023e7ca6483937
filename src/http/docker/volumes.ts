/** Volumes. */
import { assertFilterKeys, decodeFilters } from "../../docker-api/filters.ts";
import type { VolumeCreateBody, VolumeReport } from "../../docker-api/volumes.ts";
import { isBerthError, UnsupportedError } from "../../errors.ts";
import type { VolumeDetails, VolumesFacet } from "../../runtime/extras.ts";
import type { Call } from "../call.ts";
import { boolParam } from "../query.ts";
import { HttpError } from "../status.ts";
import type { DockerEngine } from "./engine.ts";
import { matchesLabels } from "../../runtime/label-filter.ts";
import { pruneLabels } from "./label-filter.ts";
import { checkShape, stringMap } from "./wire-shape.ts";

export function volumesOf(engine: DockerEngine): VolumesFacet {
  const volumes = engine.runtime.extras?.volumes;
  if (volumes === undefined) throw new UnsupportedError("volumes", engine.runtime.backend, "it manages no volumes");
  return volumes;
}

export function volumeReport(volume: VolumeDetails): VolumeReport {
  const { anonymous, labels } = volume;
  return {
    CreatedAt: volume.createdAt?.toISOString().replace(/\.\d+/, "") ?? "",
    Driver: volume.driver,
    Labels: anonymous && Object.keys(labels).length === 0 ? { "com.docker.volume.anonymous": "" } : orNull(labels),
    Mountpoint: volume.mountpoint,
    Name: volume.name,
    Options: orNull(volume.options),
    Scope: "local",
  };
}

function orNull(map: Readonly<Record<string, string>>): Readonly<Record<string, string>> | null {
  return Object.keys(map).length === 0 ? null : map;
}

export async function listVolumes(engine: DockerEngine, call: Call): Promise<void> {
  const filters = decodeFilters(call.query.get("filters") ?? undefined);
  assertFilterKeys(filters, ["dangling", "driver", "label", "name"]);
  const [dangling] = filters["dangling"] ?? [];
  if (dangling !== undefined && !["true", "false", "1", "0"].includes(dangling)) throw new HttpError(400, `invalid filter 'dangling=${dangling}'`);
  const wantsUnused = dangling === undefined ? undefined : dangling === "true" || dangling === "1";
  const volumes = (await volumesOf(engine).list()).filter(
    (volume) =>
      (wantsUnused === undefined || wantsUnused === (volume.usedBy.length === 0)) &&
      (filters["driver"]?.includes(volume.driver) ?? true) &&
      (filters["name"]?.some((part) => volume.name.includes(part)) ?? true) &&
      matchesLabels(volume.labels, filters["label"] ?? []),
  );
  call.answer(200, { Volumes: volumes.map(volumeReport), Warnings: null });
}

export async function createVolume(engine: DockerEngine, call: Call): Promise<void> {
  const sent = await call.json();
  checkShape(sent, { fields: { Name: "string", Driver: "string", DriverOpts: stringMap, Labels: stringMap } }, "");
  const body = sent as VolumeCreateBody;
  if (body.Driver && body.Driver !== "local") throw new HttpError(404, `error looking up volume plugin ${body.Driver}: plugin "${body.Driver}" not found`);
  const volume = await volumesOf(engine).create({ name: body.Name || undefined, labels: body.Labels ?? undefined, options: body.DriverOpts ?? undefined });
  call.answer(201, volumeReport(volume));
}

export async function inspectVolume(engine: DockerEngine, call: Call): Promise<void> {
  call.answer(200, volumeReport(await named(call, (name) => volumesOf(engine).inspect(name))));
}

export async function removeVolume(engine: DockerEngine, call: Call): Promise<void> {
  const name = call.param("name");
  try {
    await named(call, () => volumesOf(engine).remove(name, { force: boolParam(call.query, "force") }));
  } catch (error) {
    if (!isBerthError(error, "conflict")) throw error;
    const users = await volumesOf(engine)
      .inspect(name)
      .then(({ usedBy }) => usedBy)
      .catch(() => []);
    throw new HttpError(409, `remove ${name}: volume is in use - [${users.join(", ")}]`, { cause: error });
  }
  call.empty(204);
}

async function named<T>(call: Call, work: (name: string) => Promise<T>): Promise<T> {
  const name = call.param("name");
  try {
    return await work(name);
  } catch (error) {
    if (isBerthError(error, "not_found")) throw new HttpError(404, `get ${name}: no such volume`, { cause: error });
    throw error;
  }
}

/** Up to 1.41 named volumes went too; since 1.42 only with the filter `all`. */
export async function pruneVolumes(engine: DockerEngine, call: Call): Promise<void> {
  const filters = decodeFilters(call.query.get("filters") ?? undefined);
  assertFilterKeys(filters, ["label", "label!", "all"]);
  const all = call.apiVersion < 42 || filters["all"]?.some((value) => value === "true" || value === "1") === true;
  const { deleted, spaceReclaimed } = await volumesOf(engine).prune({ all, labels: pruneLabels(filters) });
  call.answer(200, { VolumesDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: spaceReclaimed });
}
