import type { KeyedLock } from "../../internal/keyed-lock.ts";
import { FileLock } from "../../internal/file-lock.ts";
import type { PidFd } from "../../internal/process-identity.ts";
import { BerthError } from "../../errors.ts";
import { type ContainerId, containerIdToString, hexId } from "../../spec/container-id.ts";
import type { SecretStore } from "../../credentials/secret-store.ts";
import type { ImageStore } from "../../images/image-store.ts";
import type { NetworkStack } from "../../network/stack.ts";
import type { HostFacts } from "../../oci/host-facts.ts";
import type { OciRuntime } from "../../oci/runtime-command.ts";
import type { VolumeSync } from "../../volume-sync/volume-sync.ts";
import type { VolumeStore } from "../../volumes/volume-store.ts";
import type { PendingAttach } from "./attach.ts";
import type { ContainerRecord, ContainerStore } from "./container-store.ts";
import type { EventLog } from "./events.ts";
import type { ExitNotices } from "./exit-notices.ts";
import type { FilesPool } from "./files/files-pool.ts";
import { type ContainerPaths, containerPaths, type Layout } from "./layout.ts";
import type { StatsSampler } from "./stats-sampler.ts";

/** What the parts of the native backend share: one of each per opened state directory. */
export interface NativeContext {
  readonly uuid: string;
  readonly layout: Layout;
  /** By key, filled by `pathsOf`. */
  readonly paths: Map<string, ContainerPaths>;
  readonly store: ContainerStore;
  /** Where everything that happens is told; write a record and its event in one transaction. */
  readonly journal: EventLog;
  readonly images: ImageStore;
  readonly secrets: Pick<SecretStore, "value">;
  readonly network: NetworkStack;
  readonly volumes: VolumeStore;
  /** Absent without a remote store. */
  readonly sync: VolumeSync | undefined;
  readonly files: FilesPool;
  readonly exits: ExitNotices;
  readonly sampler: StatsSampler;
  readonly locks: KeyedLock;
  readonly oci: OciRuntime;
  readonly conmon: string;
  readonly host: HostFacts;
  /** Descriptors of the main processes this engine has seen running, by key: they know the exact wait status. */
  readonly processes: Map<string, PidFd>;
  /** Keys with a stop or a removal in progress in this process. */
  readonly stopping: Set<string>;
  readonly removing: Set<string>;
  /** Tear-downs of ended runs that are under way. */
  readonly tearDowns: Map<string, Promise<void>>;
  /** Attaches made before the start they wait for, by key. */
  readonly pendingAttaches: Map<string, readonly PendingAttach[]>;
  /** Held for each `deleteOnExit` container this engine will remove; free when it is up to the exit handler. */
  readonly supervised: Map<string, FileLock>;
  /** True in the process that conmon runs after an exit: it must not wait for conmon. */
  readonly isExitHandler: boolean;
  readonly closed: AbortSignal;
  readonly onWarning: (text: string) => void;
  /** Program and arguments that watch over containers when no engine does; empty when there is none. */
  readonly keeper: readonly string[];
  /** Program and first arguments that remove a `deleteOnExit` container when no engine is alive to do it. */
  readonly exitHandler: readonly string[];
}

const rememberedPaths = 10_000;

/** Remembered, because two dozen paths and a hash are needed for nearly every look at a container. */
export function pathsOf(ctx: NativeContext, id: ContainerId): ContainerPaths {
  const key = containerIdToString(id);
  const known = ctx.paths.get(key);
  if (known !== undefined) return known;
  if (ctx.paths.size >= rememberedPaths) ctx.paths.clear();
  const paths = containerPaths(ctx.layout, id, hexId(ctx.uuid, id));
  ctx.paths.set(key, paths);
  return paths;
}

export function notFound(id: ContainerId): BerthError {
  const key = containerIdToString(id);
  return new BerthError("not_found", `no such container: ${key}`, { container: key, reason: "no such container" });
}

export function imageNotFound(reference: string): BerthError {
  return new BerthError("not_found", `no such image: ${reference}; pull it first`, { container: reference, image: reference, reason: "no such image" });
}

export function mustGet(ctx: NativeContext, id: ContainerId): ContainerRecord {
  const record = ctx.store.get(containerIdToString(id));
  if (record === undefined) throw notFound(id);
  return record;
}

/** Lifecycle calls on one container run one at a time, in this process and among all that have the state open. */
export function serialised<T>(ctx: NativeContext, id: ContainerId, task: (paths: ContainerPaths, lock: FileLock) => Promise<T>): Promise<T> {
  const paths = pathsOf(ctx, id);
  return ctx.locks.run(paths.key, async () => {
    // conmon waits for the exit handler, and who holds the lock may wait for conmon.
    const lock = ctx.isExitHandler ? FileLock.tryAcquire(paths.lock) : await FileLock.acquire(paths.lock);
    if (lock === undefined) throw new BerthError("conflict", `another process is at work on container ${paths.key}`);
    try {
      return await task(paths, lock);
    } finally {
      lock.release();
    }
  });
}
