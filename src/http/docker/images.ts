/** Images: list, inspect, history, tag, remove, prune, search, commit, save, load. */
import type { ContainerConfig } from "../../docker-api/container-config.ts";
import { assertFilterKeys, decodeFilters } from "../../docker-api/filters.ts";
import type { ImageInspect, ImageSummary } from "../../docker-api/images.ts";
import { BerthError, isBerthError } from "../../errors.ts";
import type { ImageInfo, ImageInspectInfo } from "../../runtime/types.ts";
import { familiarName } from "../../spec/reference.ts";
import type { Call } from "../call.ts";
import { boolParam, intParam, textParam } from "../query.ts";
import { HttpError } from "../status.ts";
import { shownImage } from "./container-create.ts";
import type { DockerEngine } from "./engine.ts";
import { graphDriver } from "./graph-driver.ts";
import { imageFilter } from "./image-filters.ts";
import { pruneLabels } from "./label-filter.ts";
import { untilOf } from "./prune-filters.ts";

export async function listImages(engine: DockerEngine, call: Call): Promise<void> {
  const filters = decodeFilters(call.query.get("filters") ?? undefined);
  const old = call.apiVersion < 41 ? textParam(call.query, "filter") : undefined;
  call.answer(200, await imageSummaries(engine, old === undefined ? filters : { ...filters, reference: [old] }, call.apiVersion));
}

export async function imageSummaries(
  engine: DockerEngine,
  filters: Readonly<Record<string, readonly string[]>>,
  apiVersion: number,
): Promise<readonly ImageSummary[]> {
  const groups = groupById(await engine.runtime.listImages());
  const inspected = await Promise.all([...groups].map(async ([key, tags]) => ({ tags, info: await inspectListed(engine, tags[0]?.id ?? key) })));
  const listed = inspected.flatMap(({ tags, info }) => (info === undefined ? [] : [{ tags, info }]));
  const matches = await imageFilter(engine, listed, filters);
  return listed
    .filter(matches)
    .map(({ tags, info }) => imageSummary(tags, info, apiVersion))
    .sort((a, b) => b.Created - a.Created);
}

function groupById(images: readonly ImageInfo[]): ReadonlyMap<string, readonly ImageInfo[]> {
  const groups = new Map<string, ImageInfo[]>();
  for (const image of images) {
    const key = image.id ?? image.reference;
    groups.set(key, [...(groups.get(key) ?? []), image]);
  }
  return groups;
}

/** Gone between the two looks: it is not listed. */
async function inspectListed(engine: DockerEngine, key: string): Promise<ImageInspectInfo | undefined> {
  try {
    return await engine.runtime.inspectImageNative(key);
  } catch (error) {
    if (isBerthError(error, "not_found")) return undefined;
    throw error;
  }
}

function imageSummary(tags: readonly ImageInfo[], info: ImageInspectInfo, apiVersion: number): ImageSummary {
  const size = info.size ?? tags[0]?.sizeBytes ?? 0;
  return {
    Id: info.id ?? "",
    ParentId: info.parent ?? "",
    RepoTags: familiar(info.repoTags),
    RepoDigests: familiar(info.repoDigests),
    Created: createdSeconds(info),
    Size: size,
    SharedSize: -1,
    ...(apiVersion < 44 ? { VirtualSize: size } : {}),
    Labels: info.labels,
    Containers: -1,
  };
}

function createdSeconds(info: ImageInspectInfo): number {
  const ms = Date.parse(info.created ?? "");
  return Number.isNaN(ms) ? 0 : Math.floor(ms / 1000);
}

export function familiar(references: readonly string[]): readonly string[] {
  return references.map(familiarName);
}

/** Runs `work` with the image of the path, and says `No such image` in Docker's words. */
export async function withImage<T>(name: string, work: (name: string) => Promise<T>): Promise<T> {
  try {
    return await work(name);
  } catch (error) {
    if (isBerthError(error, "not_found")) throw new HttpError(404, `No such image: ${shownImage(name)}`, { cause: error });
    throw error;
  }
}

export async function inspectImage(engine: DockerEngine, call: Call): Promise<void> {
  const name = call.param("name");
  const info = await withImage(name, () => engine.runtime.inspectImageNative(name));
  call.answer(200, imageReport(info, call.apiVersion));
}

function imageReport(info: ImageInspectInfo, apiVersion: number): ImageInspect {
  const size = info.size ?? 0;
  return {
    Id: info.id ?? "",
    RepoTags: familiar(info.repoTags),
    RepoDigests: familiar(info.repoDigests),
    Parent: info.parent ?? "",
    Comment: info.comment ?? "",
    Created: info.created ?? "0001-01-01T00:00:00Z",
    // Gone from Docker's since 1.45; docker-compose 1 looks into it whatever the version.
    Container: info.container ?? "",
    ContainerConfig: imageConfig(info),
    DockerVersion: info.dockerVersion ?? "",
    Author: info.author ?? "",
    Config: imageConfig(info),
    Architecture: info.architecture ?? "",
    ...(info.variant === undefined ? {} : { Variant: info.variant }),
    Os: info.os ?? "linux",
    Size: size,
    ...(apiVersion < 44 ? { VirtualSize: size } : {}),
    GraphDriver: graphDriver,
    RootFS: { Type: "layers", Layers: info.layers },
    Metadata: { LastTagTime: "0001-01-01T00:00:00Z" },
  };
}

function imageConfig(info: ImageInspectInfo): ContainerConfig {
  const set = (names: readonly string[] | undefined) =>
    names === undefined || names.length === 0 ? undefined : Object.fromEntries(names.map((name) => [name, {}]));
  const [exposed, volumes] = [set(info.exposedPorts), set(info.volumes)];
  return {
    Hostname: "",
    Domainname: "",
    User: info.user ?? "",
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    ...(exposed === undefined ? {} : { ExposedPorts: exposed }),
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: info.env,
    Cmd: info.cmd.length === 0 ? null : info.cmd,
    ...(info.healthcheck === undefined ? {} : { Healthcheck: { Test: info.healthcheck.test } }),
    Image: "",
    Volumes: volumes ?? null,
    WorkingDir: info.workingDir ?? "",
    Entrypoint: info.entrypoint.length === 0 ? null : info.entrypoint,
    OnBuild: info.onBuild === undefined || info.onBuild.length === 0 ? null : info.onBuild,
    Labels: Object.keys(info.labels).length === 0 ? null : info.labels,
    ...(info.stopSignal === undefined ? {} : { StopSignal: info.stopSignal }),
  };
}

export async function imageHistory(engine: DockerEngine, call: Call): Promise<void> {
  const name = call.param("name");
  const entries = await withImage(name, () => engine.runtime.imageHistory(name));
  call.answer(
    200,
    entries.map(({ id, created, createdBy, tags, size, comment }) => ({
      Id: id,
      Created: created,
      CreatedBy: createdBy,
      Tags: tags.length === 0 ? null : familiar(tags),
      Size: size,
      Comment: comment,
    })),
  );
}

export async function tagImage(engine: DockerEngine, call: Call): Promise<void> {
  const name = call.param("name");
  const repo = textParam(call.query, "repo");
  if (repo === undefined) throw new HttpError(400, "repo name cannot be empty");
  await withImage(name, () => engine.runtime.tagImage(name, withTag(repo, textParam(call.query, "tag"))));
  call.empty(201);
}

/** `repo`, and `tag` unless `repo` has one already; `latest` without either (contract A-20). */
export function withTag(repo: string, tag: string | undefined): string {
  const last = repo.slice(repo.lastIndexOf("/") + 1);
  if (repo.includes("@") || last.includes(":")) return tag === undefined ? repo : `${repo.slice(0, repo.lastIndexOf(":"))}:${tag}`;
  if (tag?.includes(":") === true) return `${repo}@${tag}`;
  return `${repo}:${tag ?? "latest"}`;
}

export async function removeImage(engine: DockerEngine, call: Call): Promise<void> {
  const name = call.param("name");
  const before = await withImage(name, () => engine.runtime.inspectImageNative(name));
  await withImage(name, () => engine.runtime.removeImage(name, boolParam(call.query, "force")));
  const after = await engine.runtime.inspectImageNative(before.id ?? name).catch(() => undefined);
  const left = new Set([...(after?.repoTags ?? []), ...(after?.repoDigests ?? [])]);
  const untagged = [...before.repoTags, ...before.repoDigests].filter((reference) => !left.has(reference));
  const deleted = after === undefined && before.id !== undefined ? [{ Deleted: before.id }] : [];
  call.answer(200, [...familiar(untagged).map((Untagged) => ({ Untagged })), ...deleted]);
}

export async function pruneImages(engine: DockerEngine, call: Call): Promise<void> {
  const filters = decodeFilters(call.query.get("filters") ?? undefined);
  assertFilterKeys(filters, ["dangling", "until", "label", "label!"]);
  const [dangling = "true"] = filters["dangling"] ?? [];
  if (!["true", "false", "1", "0"].includes(dangling)) throw new HttpError(400, `invalid filter 'dangling=${dangling}'`);
  const all = dangling === "false" || dangling === "0";
  const { deleted, spaceReclaimed } = await engine.runtime.pruneImages({ all, until: untilOf(filters), labels: pruneLabels(filters) });
  const items = deleted.map((reference) => (reference.startsWith("sha256:") ? { Deleted: reference } : { Untagged: familiarName(reference) }));
  call.answer(200, { ImagesDeleted: items.length === 0 ? null : items, SpaceReclaimed: spaceReclaimed });
}

export async function searchImages(engine: DockerEngine, call: Call): Promise<void> {
  const term = textParam(call.query, "term");
  if (term === undefined) throw new HttpError(400, "term cannot be empty");
  const limit = intParam(call.query, "limit") ?? 25;
  if (limit < 1 || limit > 100) throw new HttpError(400, `limit ${limit} is outside the range of [1, 100]`);
  const filters = decodeFilters(call.query.get("filters") ?? undefined);
  assertFilterKeys(filters, ["is-automated", "is-official", "stars"]);
  const [official, stars] = [filters["is-official"]?.[0], filters["stars"]?.[0]];
  if (stars !== undefined && !/^\d{1,9}$/.test(stars)) throw new HttpError(400, `invalid filter 'stars=${stars}'`);
  const found = await engine.runtime.searchImages(term, limit, {
    isOfficial: official === undefined ? undefined : official === "true" || official === "1",
    minStars: stars === undefined ? undefined : Number(stars),
  });
  call.answer(
    200,
    found.map(({ name, description, starCount, official: isOfficial, automated }) => ({
      name,
      description,
      star_count: starCount,
      is_official: isOfficial,
      is_automated: automated,
    })),
  );
}

export async function saveImages(engine: DockerEngine, call: Call, names: readonly string[]): Promise<void> {
  if (names.length === 0) throw new BerthError("invalid_spec", "no image to save was named");
  const tar = await withImage(names[0] ?? "", () => engine.runtime.saveImages(names, { signal: call.signal }));
  await call.stream("application/x-tar", tar);
}
