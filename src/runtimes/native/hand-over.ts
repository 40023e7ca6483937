/**
 * The keeper: a process that watches over containers when no engine is alive to do so. It is started by who closes the state and
 * leaves something to watch, and by conmon after an exit its policy may want to be followed by a start. It ends when nothing is left.
 */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { FileLock } from "../../internal/file-lock.ts";
import { childEnvironment } from "../../internal/spawn.ts";
import type { ContainerRecord } from "./container-store.ts";
import type { NativeContext } from "./context.ts";
import { isRunning, settle } from "./run-state.ts";
import { isRestartPending } from "./supervised-run.ts";

/** Held by the one process that watches. */
export function leaderLock(ctx: NativeContext): string {
  return join(ctx.layout.run, "supervisor");
}

export function needsExitKeeper(ctx: NativeContext, record: ContainerRecord): boolean {
  return ctx.keeper.length > 0 && record.facts.spec.restartPolicy.kind !== "no";
}

/**
 * For conmon: deletes the OCI container, then starts the keeper unless somebody watches. In the background, because conmon ends
 * only after its exit command, and whoever starts the container again waits for conmon.
 */
export function keeperCommand(ctx: NativeContext, remove: readonly string[]): readonly string[] {
  const script = 'delete=$1; shift; lock=$1; shift; eval "$delete"; flock -n "$lock" true && { setsid "$@" </dev/null >/dev/null 2>&1 & }';
  return ["/bin/sh", "-c", script, "sh", remove.map(quote).join(" "), leaderLock(ctx), ...ctx.keeper];
}

export function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** Called last, after our own supervisor let go: what is left to watch over gets a keeper, unless another process leads. */
export function handOver(ctx: NativeContext, led: boolean): void {
  if (ctx.keeper.length === 0) return;
  const isLeft = ctx.store.watched().some((record) => needsKeeper(led ? settle(ctx, record) : record));
  if (!isLeft) return;
  const lock = FileLock.tryAcquire(leaderLock(ctx));
  if (lock === undefined) return;
  lock.release();
  startKeeper(ctx);
}

function needsKeeper(record: ContainerRecord): boolean {
  if (isRestartPending(record)) return true;
  const { run, facts } = record;
  return isRunning(record) && (run.health !== undefined || (facts.spec.restartPolicy.kind !== "no" && run.hasExitKeeper !== true));
}

function startKeeper(ctx: NativeContext): void {
  const [program = "", ...args] = ctx.keeper;
  const log = openSync(join(ctx.layout.run, "keeper.log"), "w", 0o600);
  const child = spawn(program, args, { detached: true, stdio: ["ignore", log, log], env: childEnvironment, cwd: "/" });
  child.on("error", () => {});
  child.unref();
  closeSync(log);
}
