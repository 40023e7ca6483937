import { BerthError } from "../../errors.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { WaitCondition, WaitOutcome } from "../../runtime/types.ts";
import type { ContainerRecord } from "./container-store.ts";
import { mustGet, type NativeContext, pathsOf } from "./context.ts";
import { isRunning, outcomeOf, settle } from "./run-state.ts";
import { isRestartPending } from "./supervised-run.ts";

/** The notice comes from inotify; this only catches a monitor that was killed before it could write. */
const fallbackMs = 2_000;

/**
 * Waits by the table of contract 2.4. Everything up to the promise runs synchronously: a start issued right after the
 * call cannot be missed.
 */
export function waitFor(ctx: NativeContext, id: ContainerId, condition: WaitCondition, signal: AbortSignal | undefined): Promise<WaitOutcome> {
  const first = settle(ctx, mustGet(ctx, id));
  if (condition === "not-running" && isAtRest(first)) return Promise.resolve(outcomeOf(first.run));
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const releases: (() => void)[] = [];
    const finish = (act: () => void): void => {
      for (const release of releases.splice(0)) release();
      act();
    };
    const check = (): void => {
      const done = outcomeNow(ctx, first, condition);
      if (done !== undefined) finish(() => resolve(done));
      else if (ctx.closed.aborted) finish(() => reject(new BerthError("aborted", "the runtime was closed while waiting")));
    };
    const listen = (target: AbortSignal, run: () => void): void => {
      target.addEventListener("abort", run);
      releases.push(() => target.removeEventListener("abort", run));
    };
    releases.push(ctx.exits.listen(pathsOf(ctx, id).ociId, check));
    const timer = setInterval(check, fallbackMs);
    releases.push(() => clearInterval(timer));
    listen(ctx.closed, check);
    if (signal !== undefined) listen(signal, () => finish(() => reject(signal.reason)));
    check();
  });
}

function outcomeNow(ctx: NativeContext, first: ContainerRecord, condition: WaitCondition): WaitOutcome | undefined {
  const { key, facts } = first;
  const found = ctx.store.get(key);
  if (found === undefined || found.facts.createdAt !== facts.createdAt) return outcomeOf(ctx.store.lastRunOfRemoved(key, facts.createdAt) ?? first.run);
  const record = settle(ctx, found);
  if (condition === "removed") return undefined;
  // A restart that was given up ends a wait for it too.
  return record.run.exits > first.run.exits || (condition === "not-running" && isAtRest(record)) ? outcomeOf(record.run) : undefined;
}

/** Between an exit and the restart by the policy it is as good as running. */
function isAtRest(record: ContainerRecord): boolean {
  return !isRunning(record) && !isRestartPending(record);
}
