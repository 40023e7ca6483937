/** Method 41: checked first, written to the live cgroup all or nothing, and kept for the next start. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { BerthError, messageOf } from "../../errors.ts";
import { errnoCode } from "../../internal/libc.ts";
import { isAlive } from "../../internal/process-identity.ts";
import {
  applyUpdate,
  checkUpdate,
  isEmptyUpdate,
  obsoleteFields,
  parseList,
  swapTotal,
  type UpdateBounds,
  type ContainerResourceUpdate,
  type ContainerUpdateOutcome,
} from "../../runtime/resource-update.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import { cgroupVersion } from "./cgroup.ts";
import type { ContainerRecord } from "./container-store.ts";
import { mustGet, type NativeContext, serialised } from "./context.ts";
import { refuseRemoving } from "./remove.ts";
import { isRunning, mainProcess, settle } from "./run-state.ts";
import { type LimitWrite, missingController, planUpdate } from "./update-plan.ts";

export async function updateContainer(ctx: NativeContext, id: ContainerId, update: ContainerResourceUpdate): Promise<ContainerUpdateOutcome> {
  mustGet(ctx, id);
  if (isEmptyUpdate(update)) return { warnings: [] };
  refuseRemoving(ctx, id);
  const bounds = boundsOf(ctx);
  return serialised(ctx, id, async () => {
    const record = settle(ctx, mustGet(ctx, id));
    checkUpdate(update, record.facts.spec, bounds);
    const { writes, warnings } = planUpdate({
      version: cgroupVersion(),
      cgroup: record.run.cgroup ?? "",
      update,
      memory: record.facts.spec.resources.memory,
      swapAccounting: bounds.swapAccounting,
      read: readIfThere,
      children,
    });
    const live = isRunning(record) && record.run.cgroup !== undefined;
    const undo = live ? writeLive(record, writes) : () => {};
    try {
      store(ctx, record, update, bounds);
    } catch (cause) {
      undo();
      throw cause;
    }
    return { warnings: [...obsoleteFields(update), ...(live ? warnings : [])] };
  });
}

function boundsOf(ctx: NativeContext): UpdateBounds {
  return {
    cpus: parseList(readIfThere("/sys/devices/system/cpu/online") ?? "0") ?? new Set([0]),
    memoryNodes: parseList(readIfThere("/sys/devices/system/node/online") ?? "0") ?? new Set([0]),
    swapAccounting: ctx.host.swapAccounting,
  };
}

/** The program may end in the middle, and its cgroup goes with it: then the limits count from the next start. */
function writeLive(record: ContainerRecord, writes: readonly LimitWrite[]): () => void {
  try {
    return write(record, writes);
  } catch (error) {
    if (isAlive(mainProcess(record.run))) throw error;
    return () => {};
  }
}

/** Writes every file or none; answers how to take it back. */
function write(record: ContainerRecord, writes: readonly LimitWrite[]): () => void {
  const missing = missingController(writes, readIfThere);
  if (missing !== undefined) {
    throw new BerthError("unsupported", `update: this host has no ${missing}; enable that cgroup controller or leave the limit alone`);
  }
  const done: LimitWrite[] = [];
  const undo = (): void => {
    for (const { file, value } of done.toReversed()) if (existsSync(file)) writeFileSync(file, `${value}\n`);
  };
  for (const { file, value } of writes) {
    const before = (readIfThere(file) ?? "").trim();
    try {
      writeFileSync(file, value);
      done.push({ file, value: before });
    } catch (cause) {
      undo();
      if (errnoCode(cause) === "EBUSY") throw inUse(record, file, value);
      throw new BerthError("internal", `cannot change the limits of container ${record.name}: ${messageOf(cause)}; nothing was changed`, { cause });
    }
  }
  return undo;
}

/** The kernel would have to take away what is used now. */
function inUse(record: ContainerRecord, file: string, value: string): BerthError {
  const what = `${basename(file)} of ${value}`;
  return new BerthError("conflict", `cannot change the limits of container ${record.name}: it uses more than ${what} now; give more, or stop it first`, {
    container: record.key,
  });
}

function store(ctx: NativeContext, record: ContainerRecord, update: ContainerResourceUpdate, bounds: UpdateBounds): void {
  const { spec, fineLimits = {} } = record.facts;
  const changed = applyUpdate(spec, fineLimits, update, (memory) => keptSwap(record, memory, bounds));
  ctx.store.atomically(() => {
    ctx.store.updateFacts(record.key, (facts) => ({ ...facts, spec: changed.spec, fineLimits: changed.fine }));
    ctx.journal.recordContainer(record, "update");
  });
}

/** Memory plus swap after a change of memory alone, which leaves the kernel's other limit as it is. */
function keptSwap(record: ContainerRecord, memory: number | undefined, bounds: UpdateBounds): number | undefined {
  const { resources } = record.facts.spec;
  const total = swapTotal(resources, bounds);
  if (memory === undefined || !bounds.swapAccounting) return resources.memorySwap;
  if (total === undefined || total === -1) return -1;
  return cgroupVersion() === 1 ? total : memory + total - (resources.memory ?? 0);
}

function children(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch {
    return [];
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}
