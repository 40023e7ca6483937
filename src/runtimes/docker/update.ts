/** Methods 41 and 45. */
import type { ContainerSummary, ContainerUpdateBody, ContainerUpdated } from "../../docker-api/containers.ts";
import { EngineError } from "../../docker-api/engine-error.ts";
import { encodeFilters } from "../../docker-api/filters.ts";
import { messageOf } from "../../errors.ts";
import {
  checkUpdate,
  isEmptyUpdate,
  obsoleteFields,
  type UpdateBounds,
  type ContainerResourceUpdate,
  type ContainerUpdateOutcome,
} from "../../runtime/resource-update.ts";
import type { ContainerPruneResult } from "../../runtime/types.ts";
import { type ContainerId, containerIdToString, idLabel } from "../../spec/container-id.ts";
import type { DockerContext } from "./context.ts";
import type { KnownContainer } from "./engine-ids.ts";
import { ownIdOf } from "./labels.ts";
import { inspectEngine } from "./lifecycle.ts";
import { number, text, texts } from "./read.ts";
import { pruneFilters } from "./prune-filters.ts";

export async function updateResources(ctx: DockerContext, id: ContainerId, update: ContainerResourceUpdate): Promise<ContainerUpdateOutcome> {
  return await ctx.ids.use(id, undefined, async (container) => {
    if (isEmptyUpdate(update)) return { warnings: [] };
    const { body, warnings } = await updateBody(ctx, container, update);
    if (Object.keys(body).length === 0) return { warnings };
    const updated = await ctx.client.object<ContainerUpdated>("POST", `/containers/${container.engineId}/update`, { json: body });
    return { warnings: [...warnings, ...texts(updated.Warnings)] };
  });
}

/** Docker reads 0 as "leave alone": what shall be unlimited is sent as -1. */
async function updateBody(
  ctx: DockerContext,
  { engineId }: KnownContainer,
  update: ContainerResourceUpdate,
): Promise<{ readonly body: ContainerUpdateBody; readonly warnings: readonly string[] }> {
  const { HostConfig: current } = await inspectEngine(ctx, engineId);
  const [memory, swap] = [number(current?.Memory) ?? 0, number(current?.MemorySwap) ?? 0];
  const resources = { memory: memory > 0 ? memory : undefined, memorySwap: swap === 0 ? undefined : swap };
  checkUpdate(update, { resources, deleteOnExit: current?.AutoRemove === true }, bounds(ctx));
  const policy = update.restartPolicy;
  const body: ContainerUpdateBody = {
    CpuShares: update.cpuShares,
    ...cpuFields(update, number(current?.NanoCpus) ?? 0),
    CpusetCpus: update.cpusetCpus,
    CpusetMems: update.cpusetMems,
    ...memoryFields(update, memory),
    MemoryReservation: update.memoryReservation,
    BlkioWeight: update.blkioWeight,
    PidsLimit: update.pidsLimit === undefined ? undefined : update.pidsLimit <= 0 ? -1 : update.pidsLimit,
    RestartPolicy: policy === undefined ? undefined : { Name: policy.name || "no", MaximumRetryCount: policy.maximumRetryCount ?? 0 },
  };
  return { body: Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined)), warnings: obsoleteFields(update) };
}

/** Memory nodes the engine checks itself. */
function bounds(ctx: DockerContext): UpdateBounds {
  const upTo = (count: number): ReadonlySet<number> => new Set(Array.from({ length: count }, (_, index) => index));
  return { cpus: upTo(ctx.facts.cpus), memoryNodes: upTo(1024), swapAccounting: true };
}

/** A container that was made with whole CPUs by somebody else takes no quota beside them. */
function cpuFields(update: ContainerResourceUpdate, nanoCpus: number): ContainerUpdateBody {
  const { cpuPeriod, cpuQuota } = update;
  if (cpuPeriod === undefined && cpuQuota === undefined) return {};
  if (nanoCpus > 0) {
    const period = cpuPeriod ?? 100_000;
    const quota = cpuQuota ?? Math.round((nanoCpus / 1e9) * 100_000);
    return { NanoCpus: Math.max(0, Math.round((quota / period) * 1e9)) };
  }
  return { CpuPeriod: cpuPeriod, CpuQuota: cpuQuota === undefined ? undefined : cpuQuota <= 0 ? -1 : cpuQuota };
}

function memoryFields({ memory, memorySwap }: ContainerResourceUpdate, current: number): ContainerUpdateBody {
  if (memory === undefined) return { MemorySwap: memorySwap };
  // A first limit needs the other one, too: Docker's own default is twice the memory.
  if (memory > 0) return { Memory: memory, MemorySwap: memorySwap ?? (current === 0 ? 2 * memory : undefined) };
  // Without a limit before there is none to take away; with one, swap has to go with it.
  return current === 0 ? { MemorySwap: memorySwap } : { Memory: -1, MemorySwap: -1 };
}

const ended: readonly string[] = ["created", "exited", "dead", "configured", "stopped"];

/** One by one and without force, so that a container which somebody starts meanwhile stays. */
export async function pruneContainers(
  ctx: DockerContext,
  o: { readonly until?: Date | undefined; readonly labels?: readonly string[] | undefined; readonly signal?: AbortSignal | undefined },
): Promise<ContainerPruneResult> {
  const { label, exclude } = pruneFilters(o.labels ?? []);
  const filters = encodeFilters({ label: [idLabel, ...label] });
  const all = await ctx.client.list<ContainerSummary>("GET", "/containers/json", { query: { all: 1, size: 1, filters }, signal: o.signal });
  const before = (o.until?.getTime() ?? Number.POSITIVE_INFINITY) / 1000;
  const deleted: string[] = [];
  let spaceReclaimed = 0;
  for (const one of all) {
    const engineId = text(one.Id);
    const id = ownIdOf(one.Labels);
    if (engineId === undefined || id === undefined || exclude(one.Labels ?? {})) continue;
    if (!ended.includes(one.State ?? "") || (number(one.Created) ?? 0) >= before || ctx.locks.isBusy(containerIdToString(id))) continue;
    if (!(await removeQuietly(ctx, engineId))) continue;
    ctx.ids.forget(id);
    deleted.push(one.Labels?.["dev.berth.container_id"] ?? engineId);
    spaceReclaimed += number(one.SizeRw) ?? 0;
  }
  return { deleted, spaceReclaimed };
}

async function removeQuietly(ctx: DockerContext, engineId: string): Promise<boolean> {
  try {
    await ctx.client.done("DELETE", `/containers/${engineId}`);
    return true;
  } catch (thrown) {
    if (!(thrown instanceof EngineError)) throw thrown;
    if (thrown.status !== 404 && thrown.status !== 409) ctx.onWarning(`prune: container ${engineId.slice(0, 12)} stays: ${messageOf(thrown)}`);
    return false;
  }
}
