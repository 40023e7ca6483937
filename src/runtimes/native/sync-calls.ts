/** Method 21 and the sync of volumes by name: which volumes, under which keys, and what to do when one fails. */
import { BerthError, isBerthError, messageOf } from "../../errors.ts";
import { remedyOf } from "../../internal/disk-full.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { SyncedVolume } from "../../volume-sync/volume-sync.ts";
import type { ContainerRecord } from "./container-store.ts";
import { mustGet, type NativeContext } from "./context.ts";
import { isRunning, settle } from "./run-state.ts";
import { namedStorage } from "./volume-calls.ts";

interface Target {
  readonly name: string;
  readonly key: string;
}

type Synced = SyncedVolume & { readonly name: string };

/** Contract 4.4: `<service>_<volume>`. */
export function volumeKey(id: ContainerId, volume: string): string {
  return `${id.service}_${volume}`;
}

export async function syncContainerVolumes(ctx: NativeContext, id: ContainerId, signal: AbortSignal | undefined): Promise<void> {
  const record = settle(ctx, mustGet(ctx, id));
  if (ctx.sync === undefined) return;
  const targets = targetsOf(ctx, record);
  if (targets.length > 0 && isRunning(record)) ctx.onWarning(`${record.name} is running: its volumes are synced as they are at this moment`);
  await syncAll(ctx, targets, signal);
}

export async function syncVolumes(ctx: NativeContext, names: readonly string[] | undefined, signal: AbortSignal | undefined): Promise<readonly Synced[]> {
  const chosen = names ?? ctx.volumes.records.list().map(({ name }) => name);
  for (const name of names ?? []) if (ctx.volumes.get(name) === undefined) throw new BerthError("not_found", `no such volume: ${name}`, { container: name });
  if (ctx.sync === undefined) {
    if (names === undefined) return [];
    throw new BerthError("configuration", "no remote store is configured; set BERTH_S3_BUCKET");
  }
  const used = ctx.store.list().flatMap((record) => targetsOf(ctx, record));
  const known = chosen.flatMap((name) => ctx.sync?.records.ofVolume(name).map(({ key }) => ({ name, key })) ?? []);
  const targets = [...used, ...known].filter(({ name }) => chosen.includes(name));
  return syncAll(ctx, [...new Map(targets.map((target) => [target.key, target])).values()], signal);
}

/** Anonymous volumes and those that are no directory of ours stay here. */
function targetsOf(ctx: NativeContext, { facts }: ContainerRecord): readonly Target[] {
  const named = namedStorage(facts.spec.storage).map(({ name }) => name);
  const kept = named.filter((name) => !facts.anonymousVolumes.includes(name) && ctx.volumes.get(name) !== undefined);
  return kept.filter((name) => ctx.volumes.source(name).kind === "directory").map((name) => ({ name, key: volumeKey(facts.id, name) }));
}

/** A failure of one does not stop the others; afterwards all are told. */
async function syncAll(ctx: NativeContext, targets: readonly Target[], signal: AbortSignal | undefined): Promise<readonly Synced[]> {
  const done: Synced[] = [];
  const failures: { readonly name: string; readonly error: unknown }[] = [];
  for (const { name, key } of targets) {
    signal?.throwIfAborted();
    try {
      const synced = await ctx.sync?.sync(key, name, ctx.volumes.path(name), { signal });
      if (synced !== undefined) done.push({ ...synced, name });
    } catch (error) {
      signal?.throwIfAborted();
      failures.push({ name, error });
    }
  }
  if (failures.length === 0) return done;
  const [only] = failures;
  // A call about one volume says what it is; of several the answer is one error with all of them.
  if (failures.length === 1 && targets.length === 1 && isBerthError(only?.error, "conflict")) throw only.error;
  const text = failures.map(({ name, error }) => `${name}: ${messageOf(error)}${remedyOf(error)}`).join("; ");
  throw new BerthError("internal", `cannot sync ${failures.length === 1 ? "volume" : "volumes"} ${text}`, {
    cause: new AggregateError(failures.map(({ error }) => error)),
  });
}
