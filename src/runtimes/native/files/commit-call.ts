/** Method 37: what a container changed becomes a layer on top of its image. */
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BerthError, isBerthError, messageOf } from "../../../errors.ts";
import { ByteRing } from "../../../internal/byte-ring.ts";
import { isDiskFull } from "../../../internal/disk-full.ts";
import type { CallOptions, CommitOptions, CommitOutcome } from "../../../runtime/types.ts";
import { applyChanges } from "../../../spec/changes.ts";
import { committedConfig } from "../../../spec/committed-config.ts";
import type { ContainerId } from "../../../spec/container-id.ts";
import { canonicalReference, familiarName, importTarget } from "../../../spec/reference.ts";
import type { ContainerRecord } from "../container-store.ts";
import { type NativeContext, pathsOf, serialised } from "../context.ts";
import { freeze, isFrozen, requestThaw, thaw } from "../freezer.ts";
import { isRunning, settle } from "../run-state.ts";
import { readRing, warnings } from "./read-calls.ts";
import { diffView, imageOf, readableRecord } from "./views.ts";

const freezeMs = 10_000;

/** An abort leaves nothing. */
export async function commitContainer(ctx: NativeContext, id: ContainerId, opts: CommitOptions, o: CallOptions): Promise<CommitOutcome> {
  o.signal?.throwIfAborted();
  const name = importTarget(opts.repo, opts.tag);
  applyChanges(committedConfig(readableRecord(ctx, id).facts.spec, imageOf(ctx, readableRecord(ctx, id)).config.config), opts.changes ?? "");
  return await serialised(ctx, id, async () => {
    const record = readableRecord(ctx, id);
    const base = imageOf(ctx, record);
    const row = { createdBy: record.facts.command.join(" "), author: opts.author, comment: opts.comment };
    try {
      const image = await ctx.images.create({
        base,
        layer: layerOf(ctx, record, opts.pause !== false, o),
        platform: base.config,
        config: applyChanges(committedConfig(record.facts.spec, base.config.config), opts.changes ?? ""),
        history: row,
        author: opts.author,
        comment: opts.comment,
        container: record.hexId,
        name,
        signal: o.signal,
      });
      const imageRef = name === undefined ? "" : familiarName(canonicalReference(name));
      ctx.journal.recordContainer(record, "commit", { comment: opts.comment ?? "", imageID: image.id, imageRef });
      return { id: image.id };
    } catch (error) {
      o.signal?.throwIfAborted();
      throw commitError(error, ctx.layout.root);
    }
  });
}

function commitError(error: unknown, root: string): unknown {
  const full = `cannot commit: no space left on the disk that holds ${root}; free some space and commit again`;
  const isFull = isDiskFull(error) || (isBerthError(error) && /no space left/.test(error.message));
  if (isFull) return new BerthError("internal", full, { cause: error });
  if (isBerthError(error, "pull_failed")) return new BerthError("internal", `cannot commit: ${messageOf(error)}`, { cause: error });
  return error;
}

/** The layer's tar. The container stands still from the first to the last byte that is read of it, not longer. */
async function* layerOf(ctx: NativeContext, record: ContainerRecord, pauses: boolean, o: CallOptions): AsyncGenerator<Uint8Array> {
  const resume = pauses ? await pause(ctx, record) : undefined;
  try {
    const ring = new ByteRing();
    const job = ctx.files.run({ diff: diffView(ctx, record), task: { kind: "layer", ring: ring.shared } }, { ...warnings(ctx, record.name), ring });
    void job.done.then(
      () => resume?.(),
      () => resume?.(),
    );
    yield* readRing(ring, job, o.signal ?? new AbortController().signal);
  } finally {
    await resume?.();
  }
}

/** `undefined` when it does not run, or is paused already and stays so. */
async function pause(ctx: NativeContext, record: ContainerRecord): Promise<(() => Promise<void>) | undefined> {
  const { cgroup } = record.run;
  if (!isRunning(record) || cgroup === undefined || isFrozen(cgroup)) return undefined;
  const mark = pauseMark(ctx, record);
  // The mark is the intent: who finds it without its owner lets the container go on.
  writeFileSync(mark, "");
  let resumed: Promise<void> | undefined;
  const resume = (): Promise<void> => (resumed ??= resumeRun(cgroup, mark));
  try {
    const stands = await freeze(cgroup, freezeMs);
    if (stands) return resume;
  } catch (cause) {
    await resume();
    // It may have ended meanwhile, and its cgroup went with it.
    const now = ctx.store.get(record.key);
    if (now === undefined || !isRunning(settle(ctx, now))) return undefined;
    throw new BerthError("internal", `cannot pause container ${record.name}: ${messageOf(cause)}`, { cause });
  }
  await resume();
  throw new BerthError("timeout", `container ${record.name} does not stand still; commit it without a pause, or stop it first`, { timeoutMs: freezeMs });
}

async function resumeRun(cgroup: string, mark: string): Promise<void> {
  try {
    await thaw(cgroup, freezeMs);
  } catch {
    requestThaw(cgroup);
  }
  rmSync(mark, { force: true });
}

function pauseMark(ctx: NativeContext, record: ContainerRecord): string {
  return join(pathsOf(ctx, record.facts.id).bundle, "paused-for-commit");
}

/** For a container whose lock is held: a commit that was killed left it standing still. */
export function resumeAfterCrash(ctx: NativeContext, record: ContainerRecord): void {
  const mark = pauseMark(ctx, record);
  if (!existsSync(mark)) return;
  if (record.run.cgroup !== undefined) requestThaw(record.run.cgroup);
  rmSync(mark, { force: true });
}

/** Whether {@link resumeAfterCrash} may have something to do. */
export function isPausedForCommit(ctx: NativeContext, record: ContainerRecord): boolean {
  return existsSync(pauseMark(ctx, record));
}
