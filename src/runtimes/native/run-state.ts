/** What a container is doing now: the record, put right by what conmon and the kernel say. */
import { existsSync, readFileSync } from "node:fs";
import { identifyProcess, isAlive, openProcess, type ProcessIdentity } from "../../internal/process-identity.ts";
import type { ContainerState, WaitOutcome } from "../../runtime/types.ts";
import { signalName } from "../../spec/signals.ts";
import type { ContainerRecord, ContainerRun } from "./container-store.ts";
import { recordConnections } from "./container-network.ts";
import { type NativeContext, pathsOf } from "./context.ts";
import { readExitFile } from "./exit-notices.ts";
import { isRestartPending, restartFields } from "./supervised-run.ts";

export function mainProcess(run: ContainerRun): ProcessIdentity | undefined {
  return run.pid === undefined || run.pidStart === undefined ? undefined : { pid: run.pid, startTicks: run.pidStart };
}

export function monitorProcess(run: ContainerRun): ProcessIdentity | undefined {
  return run.monitorPid === undefined || run.monitorStart === undefined ? undefined : { pid: run.monitorPid, startTicks: run.monitorStart };
}

/** The process named in a pid file, if it runs. */
export function processFromFile(path: string): ProcessIdentity | undefined {
  try {
    return identifyProcess(Number(readFileSync(path, "latin1")));
  } catch {
    return undefined;
  }
}

/**
 * Takes over an exit that conmon recorded. Synchronous, so that a caller can decide on the result without a gap; the
 * exit is durable before anybody hears of it.
 */
export function settle(ctx: NativeContext, record: ContainerRecord): ContainerRecord {
  if (record.run.status !== "running") return record;
  // The descriptor cannot be of a later process: one run ends before the next begins.
  if (ctx.processes.get(record.key)?.mayHaveEnded() === false) return record;
  const paths = pathsOf(ctx, record.facts.id);
  const exit = readExitFile(paths.exitFile) ?? lostExit(record, paths.exitFile);
  if (exit === undefined) return record;
  const exact = exactStatus(ctx, record.key);
  const oomKilled = existsSync(paths.oomFile);
  const settled = ctx.store.updateRun(record.key, (run) => {
    // Whoever comes first records the exit and tells it.
    if (run.status !== "running" || run.starts !== record.run.starts) return undefined;
    const ended: ContainerRun = {
      ...run,
      status: "exited",
      exits: run.exits + 1,
      exitCode: exact?.code ?? exit.code,
      exitSignal: exact?.signal,
      exitIsExact: exact !== undefined,
      oomKilled,
      finishedAt: exit.finishedAt,
      pid: undefined,
      pidStart: undefined,
    };
    recordConnections(ctx, record, "disconnect", new Date(exit.finishedAt));
    ctx.journal.recordExit(record, ended);
    return { ...ended, ...restartFields(record, ended) };
  });
  return settled ?? record;
}

/** The monitor died before it could tell: the program is dead or beyond our reach, its code unknown. */
function lostExit(record: ContainerRecord, exitFile: string): { code: number; finishedAt: number } | undefined {
  if (isAlive(monitorProcess(record.run)) || isAlive(mainProcess(record.run))) return undefined;
  // It may have written the file and ended since we looked.
  return readExitFile(exitFile) ?? { code: 255, finishedAt: Date.now() };
}

function exactStatus(ctx: NativeContext, key: string): { code: number; signal?: number } | undefined {
  const descriptor = ctx.processes.get(key);
  const status = descriptor?.waitStatus();
  descriptor?.close();
  ctx.processes.delete(key);
  if (status === undefined) return undefined;
  const signal = status & 0x7f;
  return signal === 0 ? { code: (status >> 8) & 0xff } : { code: 128 + signal, signal };
}

/** Keeps a descriptor of the main process, so that its wait status can be read exactly when it ends. */
export function watchProcess(ctx: NativeContext, key: string, main: ProcessIdentity | undefined): void {
  if (main === undefined) return;
  const descriptor = openProcess(main);
  if (descriptor === undefined) return;
  ctx.processes.get(key)?.close();
  ctx.processes.set(key, descriptor);
}

export function stateOf(ctx: NativeContext, record: ContainerRecord): ContainerState {
  if (ctx.removing.has(record.key) || (ctx.stopping.has(record.key) && record.run.status === "running")) return { state: "stopping" };
  if (isRestartPending(record)) return { state: "initializing" };
  switch (record.run.status) {
    case "created":
      return { state: "pending" };
    case "running":
      return { state: "running" };
    case "exited":
      return { state: "exited", code: record.run.exitCode ?? 0 };
    case "failed":
      return { state: "failed", reason: record.run.error ?? "unknown" };
    default:
      return record.run.status satisfies never;
  }
}

/** Contract 1.7; a container that never ran ended with 0. */
export function outcomeOf(run: ContainerRun): WaitOutcome {
  const exitCode = run.exitCode ?? 0;
  const finishedAt = run.finishedAt === undefined ? undefined : new Date(run.finishedAt);
  if (run.status === "failed") return { exitCode, reason: "runtime_error", finishedAt };
  if (run.oomKilled) return { exitCode, reason: "oom_killed", finishedAt };
  const signal = run.exitIsExact ? run.exitSignal : exitCode > 128 && exitCode <= 192 ? exitCode - 128 : undefined;
  if (signal !== undefined) return { exitCode, reason: "signal", signal: signalName(signal), finishedAt };
  return { exitCode, reason: "exited", finishedAt };
}

export function isRunning(record: ContainerRecord): boolean {
  return record.run.status === "running";
}
