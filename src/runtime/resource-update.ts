/** Method 41 as far as it is the same everywhere: what a change of limits may hold, and what it makes of a container's description. */
import { BerthError } from "../errors.ts";
import type { CompleteSpec, Resources, RestartPolicy } from "../spec/service-spec.ts";

/** Contract 1.10; `undefined` = leave alone. */
export interface ContainerResourceUpdate {
  readonly cpuShares?: number | undefined;
  readonly memory?: number | undefined;
  readonly cpuPeriod?: number | undefined;
  readonly cpuQuota?: number | undefined;
  readonly cpuRealtimePeriod?: number | undefined;
  readonly cpuRealtimeRuntime?: number | undefined;
  readonly cpusetCpus?: string | undefined;
  readonly cpusetMems?: string | undefined;
  readonly memoryReservation?: number | undefined;
  readonly memorySwap?: number | undefined;
  readonly kernelMemory?: number | undefined;
  readonly blkioWeight?: number | undefined;
  readonly pidsLimit?: number | undefined;
  readonly restartPolicy?:
    | { readonly name?: "" | "no" | "always" | "unless-stopped" | "on-failure" | undefined; readonly maximumRetryCount?: number | undefined }
    | undefined;
}

export interface ContainerUpdateOutcome {
  readonly warnings: readonly string[];
}

/** What limits are checked against. */
export interface UpdateBounds {
  /** Processors and memory nodes of the host. */
  readonly cpus: ReadonlySet<number>;
  readonly memoryNodes: ReadonlySet<number>;
  /** Without it a total of memory and swap is not limited. */
  readonly swapAccounting: boolean;
}

/** Limits a description has no words for. */
export interface FineLimits {
  readonly cpuPeriod?: number | undefined;
  /** ≤ 0 = unlimited. */
  readonly cpuQuota?: number | undefined;
  readonly cpusetMems?: string | undefined;
}

export function isEmptyUpdate(update: ContainerResourceUpdate): boolean {
  return Object.values(update).every((value) => value === undefined);
}

/** Throws `invalid_spec` for what cannot be; nothing has been changed then. */
export function checkUpdate(update: ContainerResourceUpdate, spec: Pick<CompleteSpec, "resources" | "deleteOnExit">, host: UpdateBounds): void {
  const numbers = Object.entries(update).filter((entry): entry is [string, number] => typeof entry[1] === "number");
  for (const [field, value] of numbers) if (!Number.isSafeInteger(value)) throw invalid(field, `${value} is not a whole number`);
  within("cpuShares", update.cpuShares, 2, 262_144);
  within("cpuPeriod", update.cpuPeriod, 1000, 1_000_000);
  within("blkioWeight", update.blkioWeight, 10, 1000);
  within("memoryReservation", update.memoryReservation, 0, Number.MAX_SAFE_INTEGER);
  if (update.cpuQuota !== undefined && update.cpuQuota > 0) within("cpuQuota", update.cpuQuota, 1000, Number.MAX_SAFE_INTEGER);
  checkList("cpusetCpus", update.cpusetCpus, host.cpus);
  checkList("cpusetMems", update.cpusetMems, host.memoryNodes);
  checkMemory(update, spec.resources, host);
  checkPolicy(update, spec.deleteOnExit);
}

function within(field: string, value: number | undefined, least: number, most: number): void {
  if (value !== undefined && (value < least || value > most)) throw invalid(field, `${value} is not between ${least} and ${most}`);
}

function checkList(field: string, text: string | undefined, available: ReadonlySet<number>): void {
  if (text === undefined) return;
  const asked = parseList(text);
  if (asked === undefined) throw invalid(field, `${JSON.stringify(text)} is not a list such as "0-2,4"`);
  const missing = [...asked].filter((number) => !available.has(number));
  if (missing.length > 0) throw invalid(field, `this host has no ${missing.join(", ")}; it has ${[...available].join(", ")}`);
}

/** Numbers of `0-2,4`; `undefined` when it is no list. */
export function parseList(text: string): ReadonlySet<number> | undefined {
  const numbers = new Set<number>();
  for (const part of text.trim().split(",")) {
    const [, first, last] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part.trim()) ?? [];
    if (first === undefined || Number(last ?? first) < Number(first)) return undefined;
    for (let number = Number(first); number <= Number(last ?? first); number += 1) numbers.add(number);
  }
  return numbers;
}

function checkMemory(update: ContainerResourceUpdate, current: Resources, host: UpdateBounds): void {
  const memory = update.memory === undefined ? current.memory : positive(update.memory);
  if (update.memorySwap !== undefined && update.memorySwap !== -1) {
    if (memory === undefined) throw invalid("memorySwap", "requires a memory limit");
    if (update.memorySwap < memory) throw invalid("memorySwap", `${update.memorySwap} is memory plus swap and must not be less than memory, ${memory}`);
  }
  const total = swapTotal(current, host);
  if (update.memorySwap === undefined && memory !== undefined && total !== undefined && total !== -1 && memory > total) {
    throw invalid("memory", `${memory} is more than memory plus swap, ${total}; give memorySwap too`);
  }
}

/** Memory plus swap as it is limited now; -1 = unlimited, `undefined` = there is no memory limit. */
export function swapTotal(current: Resources, host: Pick<UpdateBounds, "swapAccounting">): number | undefined {
  if (current.memory === undefined) return undefined;
  return host.swapAccounting ? (current.memorySwap ?? current.memory * 2) : -1;
}

function checkPolicy({ restartPolicy }: ContainerResourceUpdate, deleteOnExit: boolean): void {
  if (restartPolicy === undefined) return;
  const { name = "", maximumRetryCount } = restartPolicy;
  if (!["", "no", "always", "unless-stopped", "on-failure"].includes(name)) throw invalid("restartPolicy.name", `${JSON.stringify(name)} is no policy`);
  if (deleteOnExit && name !== "" && name !== "no") throw invalid("restartPolicy", "does not go with a container that is removed when it exits");
  if (maximumRetryCount === undefined) return;
  within("restartPolicy.maximumRetryCount", maximumRetryCount, 0, 0xffff_ffff);
  if (maximumRetryCount > 0 && name !== "on-failure") throw invalid("restartPolicy.maximumRetryCount", "goes only with on-failure");
}

/** One sentence for each field that is accepted and does nothing anywhere any more. */
export function obsoleteFields(update: ContainerResourceUpdate): string[] {
  return [
    ...(update.kernelMemory === undefined ? [] : ["kernelMemory is ignored: the kernel has no such limit any more"]),
    ...(update.cpuRealtimePeriod === undefined ? [] : ["cpuRealtimePeriod is ignored: real-time scheduling of groups is not supported"]),
    ...(update.cpuRealtimeRuntime === undefined ? [] : ["cpuRealtimeRuntime is ignored: real-time scheduling of groups is not supported"]),
  ];
}

/** The description and the finer limits after a change that passed {@link checkUpdate}. */
export function applyUpdate(
  spec: CompleteSpec,
  fine: FineLimits,
  update: ContainerResourceUpdate,
  swap: (memory: number | undefined) => number | undefined,
): { readonly spec: CompleteSpec; readonly fine: FineLimits } {
  const { resources } = spec;
  const cpuChanged = update.cpuPeriod !== undefined || update.cpuQuota !== undefined;
  const cpuPeriod = update.cpuPeriod ?? fine.cpuPeriod;
  const cpuQuota = update.cpuQuota ?? fine.cpuQuota ?? (resources.cpu === undefined ? undefined : Math.floor(resources.cpu * 100_000));
  const memory = update.memory === undefined ? resources.memory : positive(update.memory);
  const changed: Resources = {
    ...resources,
    cpu: !cpuChanged ? resources.cpu : cpuQuota !== undefined && cpuQuota > 0 ? cpuQuota / (cpuPeriod ?? 100_000) : undefined,
    cpuShares: update.cpuShares ?? resources.cpuShares,
    cpuset: update.cpusetCpus ?? resources.cpuset,
    memory,
    memorySwap: memory === undefined ? undefined : (update.memorySwap ?? (update.memory === undefined ? resources.memorySwap : swap(memory))),
    memoryReservation: update.memoryReservation ?? resources.memoryReservation,
    pidsLimit: update.pidsLimit ?? resources.pidsLimit,
    blkioWeight: update.blkioWeight ?? resources.blkioWeight,
  };
  return {
    spec: { ...spec, resources: changed, restartPolicy: policyOf(update) ?? spec.restartPolicy },
    fine: { ...fine, ...(cpuChanged ? { cpuPeriod, cpuQuota } : {}), ...(update.cpusetMems === undefined ? {} : { cpusetMems: update.cpusetMems }) },
  };
}

function policyOf({ restartPolicy }: ContainerResourceUpdate): RestartPolicy | undefined {
  if (restartPolicy === undefined) return undefined;
  const maxAttempts = restartPolicy.maximumRetryCount || undefined;
  switch (restartPolicy.name ?? "") {
    case "":
    case "no":
      return { kind: "no" };
    case "always":
      return { kind: "always" };
    case "unless-stopped":
      return { kind: "unless_stopped" };
    case "on-failure":
      return { kind: "on_failure", maxAttempts };
    default:
      throw invalid("restartPolicy.name", `${JSON.stringify(restartPolicy.name)} is no policy`);
  }
}

function positive(value: number): number | undefined {
  return value > 0 ? value : undefined;
}

function invalid(field: string, what: string): BerthError {
  return new BerthError("invalid_spec", `update ${field}: ${what}`);
}
