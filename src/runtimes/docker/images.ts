/** Methods 25 to 32: the engine's image store. */
import { isApiVersion } from "../../docker-api/api-version.ts";
import type { ContainerSummary } from "../../docker-api/containers.ts";
import { encodeFilters } from "../../docker-api/filters.ts";
import { EngineError } from "../../docker-api/engine-error.ts";
import type { ImageDeleteItem, ImageHistoryItem, ImageInspect, ImageSearchItem, ImagesPruned, ImageSummary } from "../../docker-api/images.ts";
import { pathPart } from "../../docker-api/query.ts";
import type { Received } from "../../docker-api/received.ts";
import type { DiskUsageReport } from "../../docker-api/system.ts";
import { BerthError, isBerthError } from "../../errors.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { ImageHistoryEntry, ImageInfo, ImageInspectInfo, ImageSearchResult, PruneResult } from "../../runtime/types.ts";
import { parseReference } from "../../spec/reference.ts";
import type { DockerContext } from "./context.ts";
import { canonicalTag, engineImageName, imageDigest, imageFailure } from "./image-names.ts";
import { visibleLabels } from "./labels.ts";
import { pruneFilters } from "./prune-filters.ts";
import { entries, instantOfSeconds, items, number, text, texts } from "./read.ts";

/** Asks about one image; a refusal names it as the caller did. */
export async function aboutImage<T>(image: string, call: (path: string) => Promise<T>): Promise<T> {
  try {
    return await call(`/images/${pathPart(engineImageName(image))}`);
  } catch (thrown) {
    throw imageFailure(image, thrown);
  }
}

export async function listImages(ctx: DockerContext, signal: AbortSignal | undefined): Promise<readonly ImageInfo[]> {
  const found = await ctx.client.list<ImageSummary>("GET", "/images/json", { signal });
  const all = found.flatMap((image): ImageInfo[] => {
    const id = text(image.Id) ?? "";
    const tags = texts(image.RepoTags).filter((tag) => tag !== "<none>:<none>");
    const digests = texts(image.RepoDigests).filter((digest) => !digest.startsWith("<none>"));
    const common = { sizeBytes: number(image.Size), id, created: instantOfSeconds(image.Created) };
    const digestOf = (tag: string | undefined): string | undefined => {
      const repository = tag?.slice(0, tag.lastIndexOf(":"));
      return (digests.find((one) => one.startsWith(`${repository}@`)) ?? digests[0])?.split("@")[1];
    };
    if (tags.length === 0) return [{ reference: id, digest: digestOf(undefined), ...common }];
    return tags.map((tag) => ({ reference: canonicalTag(tag), digest: digestOf(tag), ...common }));
  });
  return all.sort((a, b) => (a.reference < b.reference ? -1 : a.reference > b.reference ? 1 : 0));
}

export async function inspectImage(ctx: DockerContext, image: string, signal: AbortSignal | undefined): Promise<ImageInspectInfo> {
  const found = await aboutImage(image, (path) => ctx.client.object<ImageInspect>("GET", `${path}/json`, { signal }));
  const config = found.Config;
  const test = texts(config?.Healthcheck?.Test);
  return {
    id: text(found.Id),
    repoTags: texts(found.RepoTags).map(canonicalTag),
    repoDigests: texts(found.RepoDigests).map(canonicalTag),
    parent: text(found.Parent),
    comment: text(found.Comment),
    created: text(found.Created),
    container: text(found.Container),
    dockerVersion: text(found.DockerVersion),
    author: text(found.Author),
    architecture: text(found.Architecture),
    variant: text(found.Variant),
    os: text(found.Os),
    size: number(found.Size),
    layers: texts(found.RootFS?.Layers),
    env: texts(config?.Env),
    cmd: texts(config?.Cmd),
    entrypoint: texts(config?.Entrypoint),
    workingDir: text(config?.WorkingDir),
    user: text(config?.User),
    labels: visibleLabels(config?.Labels),
    exposedPorts: entries(config?.ExposedPorts).map(([port]) => port),
    volumes: entries(config?.Volumes).map(([path]) => path),
    stopSignal: text(config?.StopSignal),
    healthcheck: test.length === 0 ? undefined : { test },
    onBuild: texts(config?.OnBuild),
  };
}

export async function imageHistory(ctx: DockerContext, image: string, signal: AbortSignal | undefined): Promise<readonly ImageHistoryEntry[]> {
  const found = await aboutImage(image, (path) => ctx.client.list<ImageHistoryItem>("GET", `${path}/history`, { signal }));
  return found.map((row, index) => ({
    id: index === 0 ? imageDigest(text(row.Id) ?? "<missing>") : "<missing>",
    created: Math.max(0, number(row.Created) ?? 0),
    createdBy: row.CreatedBy ?? "",
    tags: index === 0 ? texts(row.Tags).map(canonicalTag) : [],
    size: number(row.Size) ?? 0,
    comment: row.Comment ?? "",
  }));
}

export async function tagImage(ctx: DockerContext, source: string, target: string): Promise<void> {
  const reference = parseReference(target);
  const hasTag = target.lastIndexOf(":") > target.lastIndexOf("/");
  if (reference.digest !== undefined || !hasTag) throw new BerthError("invalid_spec", `${JSON.stringify(target)} needs a tag, and no digest: repository:tag`);
  await aboutImage(source, (path) =>
    ctx.client.done("POST", `${path}/tag`, { query: { repo: `${reference.registry}/${reference.path}`, tag: reference.tag } }),
  );
}

/**
 * By tag as Docker does it. By id or digest the whole image is meant, which Docker does only by id: a digest would be one
 * more name to it.
 */
export async function removeImage(ctx: DockerContext, image: string, force: boolean): Promise<void> {
  await aboutImage(image, async (path) => {
    if (isTag(image)) return await remove(ctx, path, force);
    const { Id: id, RepoTags: tags } = await ctx.client.object<ImageInspect>("GET", `${path}/json`);
    const names = texts(tags);
    if (names.length > 1 && !force) {
      throw new BerthError("conflict", `image ${image} has several names, ${names.map(canonicalTag).join(", ")}; remove it by force, or name by name`, {
        image,
      });
    }
    // Name by name the content stays while a container uses it; by id an engine would take it away under containers that do not run.
    const paths = force && names.length > 0 ? names.map((name) => `/images/${pathPart(name)}`) : [`/images/${pathPart(id ?? image)}`];
    for (const one of paths) await remove(ctx, one, force);
  });
}

function isTag(image: string): boolean {
  const name = engineImageName(image);
  return !/^(?:sha256:)?[0-9a-f]+$/.test(name) && !name.includes("@");
}

async function remove(ctx: DockerContext, path: string, force: boolean): Promise<void> {
  if (!force || !ctx.facts.isPodman) return void (await ctx.client.list<ImageDeleteItem>("DELETE", path, { query: { force } }));
  try {
    await ctx.client.list<ImageDeleteItem>("DELETE", path);
  } catch (thrown) {
    if (!isInUse(thrown)) throw thrown;
    // By force Podman would remove the containers with the image: only its names go.
    await ctx.client.done("POST", `/libpod${path}/untag`);
  }
}

function isInUse(thrown: unknown): boolean {
  return thrown instanceof EngineError && /in use by|used by/i.test(thrown.engineMessage);
}

type PruneOptions = NonNullable<Parameters<Runtime["pruneImages"]>[0]>;

export async function pruneImages(ctx: DockerContext, o: PruneOptions): Promise<PruneResult> {
  // An engine refuses a second prune while one runs.
  return await ctx.locks.run("prune of images", () => (o.all === true ? pruneUnused(ctx, o) : pruneDangling(ctx, o)));
}

async function pruneDangling(ctx: DockerContext, o: PruneOptions): Promise<PruneResult> {
  const filters = encodeFilters({ dangling: ["true"], ...pruneConditions(o) });
  const pruned = await ctx.client.object<ImagesPruned>("POST", "/images/prune", { query: { filters }, timeoutMs: 0 });
  return { deleted: deletedOf(items(pruned.ImagesDeleted)), spaceReclaimed: number(pruned.SpaceReclaimed) ?? 0 };
}

function pruneConditions(o: PruneOptions): Readonly<Record<string, readonly string[]>> {
  const { label, notLabel } = pruneFilters(o.labels ?? []);
  return { label, "label!": notLabel, until: o.until === undefined ? [] : [String(o.until.getTime() / 1000)] };
}

function deletedOf(deleted: readonly Received<ImageDeleteItem>[]): readonly string[] {
  return deleted.flatMap((item) => {
    const [untagged, digest] = [text(item.Untagged), text(item.Deleted)];
    return [...(untagged === undefined ? [] : [canonicalTag(untagged)]), ...(digest === undefined ? [] : [imageDigest(digest)])];
  });
}

/**
 * The engine's own prune of all takes the names of images that stopped containers use. So what no container uses is found
 * here, and removed name by name, without force.
 */
async function pruneUnused(ctx: DockerContext, o: PruneOptions): Promise<PruneResult> {
  const before = await layersBytes(ctx);
  const dangling = await pruneDangling(ctx, o);
  const containers = await ctx.client.list<ContainerSummary>("GET", "/containers/json", { query: { all: 1 } });
  const used = new Set(containers.map((container) => container.ImageID));
  const { label, exclude } = pruneFilters(o.labels ?? []);
  const images = await ctx.client.list<ImageSummary>("GET", "/images/json", { query: { filters: encodeFilters({ label }) } });
  const deleted: string[] = [];
  for (const image of images) {
    if (used.has(image.Id) || exclude(image.Labels ?? {}) || !isOlder(image, o.until)) continue;
    for (const tag of texts(image.RepoTags)) deleted.push(...(await removeUnused(ctx, tag)));
  }
  return { deleted: [...dangling.deleted, ...deleted], spaceReclaimed: Math.max(dangling.spaceReclaimed, before - (await layersBytes(ctx))) };
}

/** As the engine's `until` filter: by the time in the image's config. */
function isOlder(image: Received<ImageSummary>, until: Date | undefined): boolean {
  return until === undefined || (number(image.Created) ?? 0) * 1000 < until.getTime();
}

async function removeUnused(ctx: DockerContext, tag: string): Promise<readonly string[]> {
  try {
    return deletedOf(await ctx.client.list<ImageDeleteItem>("DELETE", `/images/${pathPart(tag)}`));
  } catch (thrown) {
    // Taken into use meanwhile, or gone.
    if (isBerthError(thrown, "conflict") || isBerthError(thrown, "not_found")) return [];
    throw thrown;
  }
}

async function layersBytes(ctx: DockerContext): Promise<number> {
  const type = isApiVersion(ctx.facts.apiVersion, "1.42") ? "image" : undefined;
  return number((await ctx.client.object<DiskUsageReport>("GET", "/system/df", { query: { type }, timeoutMs: 0 })).LayersSize) ?? 0;
}

export async function searchImages(
  ctx: DockerContext,
  term: string,
  limit: number,
  o: NonNullable<Parameters<Runtime["searchImages"]>[2]>,
): Promise<readonly ImageSearchResult[]> {
  if (term.trim() === "") throw new BerthError("invalid_spec", "the search term is empty");
  if (!Number.isInteger(limit) || limit < 0)
    throw new BerthError("invalid_spec", `the limit of a search is ${limit}; expected a whole number, 0 for the registry's choice`);
  const filters = encodeFilters({
    "is-official": o.isOfficial === undefined ? [] : [String(o.isOfficial)],
    stars: o.minStars === undefined ? [] : [String(o.minStars)],
  });
  try {
    const found = await ctx.client.list<ImageSearchItem>("GET", "/images/search", {
      query: { term, limit: limit === 0 ? undefined : limit, filters },
      signal: o.signal,
    });
    return found.map((row) => ({
      name: row.name ?? "",
      description: row.description ?? "",
      starCount: number(row.star_count) ?? 0,
      official: row.is_official === true,
      automated: row.is_automated === true,
    }));
  } catch (thrown) {
    throw searchFailure(term, thrown);
  }
}

function searchFailure(term: string, thrown: unknown): unknown {
  if (!(thrown instanceof EngineError)) return thrown;
  if (/status code 404|not found|no search/i.test(thrown.engineMessage)) {
    return new BerthError("unsupported", `searchImages: the registry of ${JSON.stringify(term)} has no search: ${thrown.engineMessage}`, { cause: thrown });
  }
  return new BerthError("network", `the registry cannot be searched: ${thrown.engineMessage}`, { cause: thrown });
}
