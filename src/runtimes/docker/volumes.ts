/** `extras.volumes`. */
import type { ContainerSummary } from "../../docker-api/containers.ts";
import { EngineError } from "../../docker-api/engine-error.ts";
import { encodeFilters } from "../../docker-api/filters.ts";
import { pathPart } from "../../docker-api/query.ts";
import type { Received } from "../../docker-api/received.ts";
import type { VolumeCreateBody, VolumeList, VolumeReport, VolumesPruned } from "../../docker-api/volumes.ts";
import { BerthError } from "../../errors.ts";
import { isApiVersion } from "../../docker-api/api-version.ts";
import type { VolumeCreateOptions, VolumeDetails, VolumesFacet } from "../../runtime/extras.ts";
import { changing } from "./changing.ts";
import type { DockerContext } from "./context.ts";
import { pruneFilters } from "./prune-filters.ts";
import { entries, instant, items, number, stringRecord, text, texts } from "./read.ts";

const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/;
/** What newer engines label anonymous volumes with; older ones give them a name of 64 digits and nothing more. */
const anonymousLabel = "com.docker.volume.anonymous";

export function volumesFacet(ctx: DockerContext): VolumesFacet {
  return {
    create: (options, o) => changing(o, () => createVolume(ctx, options)),
    inspect: async (name, o) => detailsOf(await inspectVolume(ctx, name, o?.signal), await usersByVolume(ctx, o?.signal)),
    list: async (o) => {
      const [{ Volumes: volumes }, users] = await Promise.all([
        ctx.client.object<VolumeList>("GET", "/volumes", { signal: o?.signal }),
        usersByVolume(ctx, o?.signal),
      ]);
      return items(volumes)
        .map((volume) => detailsOf(volume, users))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    remove: async (name, o) => {
      checkName(name);
      try {
        await ctx.client.done("DELETE", `/volumes/${pathPart(name)}`, { query: { force: o?.force === true } });
      } catch (thrown) {
        if (!(o?.force === true && thrown instanceof EngineError && thrown.status === 404)) throw volumeFailure(name, thrown);
      }
    },
    prune: (o) => changing(o, () => pruneVolumes(ctx, o ?? {})),
  };
}

/** Docker answers a volume that is there already, whatever its options are. */
async function createVolume(ctx: DockerContext, options: VolumeCreateOptions): Promise<VolumeDetails> {
  const { name, labels = {}, options: driverOptions = {} } = options;
  if (name !== undefined) checkName(name);
  if (options.driver !== undefined && options.driver !== "local")
    throw new BerthError("unsupported", `volume driver ${JSON.stringify(options.driver)}: only local is offered`);
  const there = name === undefined ? undefined : await inspectVolume(ctx, name, undefined).catch(ifNotFound);
  if (there !== undefined && !sameRecord(stringRecord(there.Options), driverOptions)) {
    throw new BerthError("conflict", `volume ${name} is there with other options; remove it or take another name`);
  }
  const body: VolumeCreateBody = {
    ...(name === undefined ? {} : { Name: name }),
    Driver: options.driver ?? "local",
    ...(Object.keys(driverOptions).length === 0 ? {} : { DriverOpts: driverOptions }),
    Labels: name === undefined ? { [anonymousLabel]: "", ...labels } : labels,
  };
  try {
    return detailsOf(await ctx.client.object<VolumeReport>("POST", "/volumes/create", { json: body }), new Map());
  } catch (thrown) {
    const refused = thrown instanceof EngineError && thrown.status !== 501 && /invalid option|missing required|option/i.test(thrown.engineMessage);
    throw refused ? new BerthError("invalid_spec", `volume ${name ?? ""}: ${thrown.engineMessage}`, { cause: thrown }) : thrown;
  }
}

function checkName(name: string): void {
  if (!namePattern.test(name))
    throw new BerthError("invalid_spec", `${JSON.stringify(name.slice(0, 300))} is not a volume name; it must match ${namePattern.source}`);
}

function ifNotFound(thrown: unknown): undefined {
  if (thrown instanceof BerthError && thrown.code === "not_found") return undefined;
  throw thrown;
}

function sameRecord(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const sorted = (record: Readonly<Record<string, string>>): string => JSON.stringify(Object.entries(record).sort());
  return sorted(a) === sorted(b);
}

async function inspectVolume(ctx: DockerContext, name: string, signal: AbortSignal | undefined): Promise<Received<VolumeReport>> {
  checkName(name);
  try {
    return await ctx.client.object<VolumeReport>("GET", `/volumes/${pathPart(name)}`, { signal });
  } catch (thrown) {
    throw volumeFailure(name, thrown);
  }
}

function volumeFailure(name: string, thrown: unknown): unknown {
  if (!(thrown instanceof EngineError)) return thrown;
  if (thrown.status === 404) return new BerthError("not_found", `no volume ${name} on this engine`, { id: name, cause: thrown });
  return /in use/i.test(thrown.engineMessage) ? new BerthError("conflict", thrown.engineMessage, { id: name, cause: thrown }) : thrown;
}

/** The engine's list of volumes does not say who uses them; its list of containers does. */
async function usersByVolume(ctx: DockerContext, signal: AbortSignal | undefined): Promise<ReadonlyMap<string, readonly string[]>> {
  const containers = await ctx.client.list<ContainerSummary>("GET", "/containers/json", { query: { all: 1 }, signal });
  const users = new Map<string, string[]>();
  for (const container of containers) {
    for (const mount of items(container.Mounts)) {
      const name = mount.Type === "volume" ? text(mount.Name) : undefined;
      if (name !== undefined) users.set(name, [...(users.get(name) ?? []), container.Id ?? ""]);
    }
  }
  return users;
}

function detailsOf(volume: Received<VolumeReport>, users: ReadonlyMap<string, readonly string[]>): VolumeDetails {
  const name = volume.Name ?? "";
  const labels = stringRecord(volume.Labels);
  return {
    name,
    driver: volume.Driver ?? "local",
    mountpoint: volume.Mountpoint ?? "",
    createdAt: instant(volume.CreatedAt),
    labels: Object.fromEntries(Object.entries(labels).filter(([key]) => key !== anonymousLabel)),
    options: Object.fromEntries(entries(stringRecord(volume.Options))),
    anonymous: anonymousLabel in labels || (/^[0-9a-f]{64}$/.test(name) && Object.keys(labels).length === 0),
    usedBy: users.get(name) ?? [],
  };
}

async function pruneVolumes(
  ctx: DockerContext,
  o: NonNullable<Parameters<VolumesFacet["prune"]>[0]>,
): Promise<{ readonly deleted: readonly string[]; readonly spaceReclaimed: number }> {
  const { label, notLabel } = pruneFilters(o.labels ?? []);
  // Up to 1.41 an engine prunes named volumes as well: then each is looked at here.
  if (o.all !== true && !isApiVersion(ctx.facts.apiVersion, "1.42")) return await pruneAnonymous(ctx, o.labels ?? []);
  const all = isApiVersion(ctx.facts.apiVersion, "1.42") ? [String(o.all === true)] : [];
  const filters = encodeFilters({ label, "label!": notLabel, all });
  const pruned = await ctx.client.object<VolumesPruned>("POST", "/volumes/prune", { query: { filters }, timeoutMs: 0 });
  return { deleted: texts(pruned.VolumesDeleted), spaceReclaimed: number(pruned.SpaceReclaimed) ?? 0 };
}

async function pruneAnonymous(
  ctx: DockerContext,
  conditions: readonly string[],
): Promise<{ readonly deleted: readonly string[]; readonly spaceReclaimed: number }> {
  const { label, exclude } = pruneFilters(conditions);
  const filters = encodeFilters({ dangling: ["true"], label });
  const { Volumes: volumes } = await ctx.client.object<VolumeList>("GET", "/volumes", { query: { filters } });
  const deleted: string[] = [];
  for (const volume of items(volumes)) {
    const { name, anonymous } = detailsOf(volume, new Map());
    if (!anonymous || exclude(volume.Labels ?? {})) continue;
    try {
      await ctx.client.done("DELETE", `/volumes/${pathPart(name)}`);
      deleted.push(name);
    } catch (thrown) {
      // Taken into use meanwhile, or gone.
      if (!(thrown instanceof EngineError) || (thrown.status !== 409 && thrown.status !== 404)) throw thrown;
    }
  }
  return { deleted, spaceReclaimed: 0 };
}
