/** Methods 41 and 45. */
import type { ContainerSummary, ContainerUpdateBody, ContainerUpdated } from "../../docker-api/containers.ts";
import { EngineError } from "../../docker-api/engine-error.ts";
import { encodeFilters } from "../../docker-api/filters.ts";
import { BerthError, messageOf } from "../../errors.ts";
import type { ContainerPruneResult, ContainerResourceUpdate, ContainerUpdateOutcome } from "../../runtime/types.ts";
import { type ContainerId, containerIdToString } from "../../spec/container-id.ts";
import type { DockerContext } from "./context.ts";
import type { KnownContainer } from "./engine-ids.ts";
import { idLabel, ownIdOf } from "./labels.ts";
import { inspectEngine } from "./lifecycle.ts";
import { number, text, texts } from "./read.ts";
import { pruneFilters } from "./prune-filters.ts";

export async function updateResources(ctx: DockerContext, id: ContainerId, update: ContainerResourceUpdate): Promise<ContainerUpdateOutcome> {
  return await ctx.ids.use(id, undefined, async (container) => {
    if (Object.values(update).every((value) => value === undefined)) return { warnings: [] };
    const { body, warnings } = await updateBody(ctx, id, container, update);
    if (Object.keys(body).length === 0) return { warnings };
    const updated = await ctx.client.object<ContainerUpdated>("POST", `/containers/${container.engineId}/update`, { json: body });
    return { warnings: [...warnings, ...texts(updated.Warnings)] };
  });
}

const blkioRange = [10, 1000] as const;

/** Docker reads 0 as "leave alone": what shall be unlimited is sent as -1. */
async function updateBody(
  ctx: DockerContext,
  id: ContainerId,
  { engineId }: KnownContainer,
  update: ContainerResourceUpdate,
): Promise<{ readonly body: ContainerUpdateBody; readonly warnings: readonly string[] }> {
  check(update);
  const { HostConfig: current } = await inspectEngine(ctx, engineId);
  const policy = update.restartPolicy;
  if (policy !== undefined && (policy.name ?? "") !== "" && policy.name !== "no" && current?.AutoRemove === true) {
    throw new BerthError("invalid_spec", `restartPolicy: container ${containerIdToString(id)} is removed on its exit; it cannot be restarted`);
  }
  const swap = number(current?.MemorySwap) ?? 0;
  if (update.memory !== undefined && update.memorySwap === undefined && swap > 0 && update.memory > swap) {
    throw new BerthError("invalid_spec", `memory: ${update.memory} is above the limit of memory and swap together, ${swap}; give memorySwap too`);
  }
  const body: ContainerUpdateBody = {
    CpuShares: update.cpuShares,
    // Docker keeps one of the two forms: a container made with whole CPUs takes no quota beside them.
    ...cpuFields(update, number(current?.NanoCpus) ?? 0),
    CpuRealtimePeriod: update.cpuRealtimePeriod,
    CpuRealtimeRuntime: update.cpuRealtimeRuntime,
    CpusetCpus: update.cpusetCpus,
    CpusetMems: update.cpusetMems,
    ...memoryFields(update, number(current?.Memory) ?? 0),
    MemoryReservation: update.memoryReservation,
    BlkioWeight: update.blkioWeight,
    PidsLimit: update.pidsLimit === undefined ? undefined : update.pidsLimit <= 0 ? -1 : update.pidsLimit,
    RestartPolicy:
      policy === undefined
        ? undefined
        : { Name: policy.name === "" || policy.name === undefined ? "no" : policy.name, MaximumRetryCount: policy.maximumRetryCount ?? 0 },
  };
  const warnings = update.kernelMemory === undefined ? [] : ["kernelMemory: the kernel no longer has such a limit; not applied"];
  return { body: Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined)), warnings };
}

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
  if (memory > 0) return { Memory: memory, MemorySwap: memorySwap };
  // Without a limit before there is none to take away; with one, swap has to go with it.
  return current === 0 ? { MemorySwap: memorySwap } : { Memory: -1, MemorySwap: -1 };
}

function check(update: ContainerResourceUpdate): void {
  const { cpuShares, cpuQuota, cpuPeriod, blkioWeight, restartPolicy } = update;
  const wrong = (field: string, why: string): BerthError => new BerthError("invalid_spec", `${field}: ${why}`);
  if (cpuShares !== undefined && !(cpuShares >= 2 && cpuShares <= 262_144)) throw wrong("cpuShares", `${cpuShares} is not in 2…262144`);
  if (cpuQuota !== undefined && cpuQuota > 0 && cpuQuota < 1000) throw wrong("cpuQuota", `${cpuQuota} µs is less than the kernel takes, 1000`);
  if (cpuPeriod !== undefined && !(cpuPeriod >= 1000 && cpuPeriod <= 1_000_000)) throw wrong("cpuPeriod", `${cpuPeriod} is not in 1000…1000000 µs`);
  if (blkioWeight !== undefined && !(blkioWeight >= blkioRange[0] && blkioWeight <= blkioRange[1]))
    throw wrong("blkioWeight", `${blkioWeight} is not in 10…1000`);
  if ((restartPolicy?.maximumRetryCount ?? 0) > 0 && restartPolicy?.name !== "on-failure")
    throw wrong("restartPolicy.maximumRetryCount", "goes only with on-failure");
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
