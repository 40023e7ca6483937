/**
 * The Runtime interface: 49 methods, cut into facets so that a consumer, a double or a reader can take one.
 * Semantics, states and errors of every method: contract Part 2; the numbers in the comments are its numbers.
 */
import type { ContainerId } from "../spec/container-id.ts";
import type { TargetPlatform } from "../spec/platform.ts";
import type { PullPolicy, ServiceSpec, SourcePolicy } from "../spec/service-spec.ts";
import type { Capabilities } from "./capabilities.ts";
import type { RuntimeExtras } from "./extras.ts";
import type * as t from "./types.ts";
import type { ContainerResourceUpdate, ContainerUpdateOutcome } from "./resource-update.ts";

/** A container's life: created, started any number of times, stopped or killed, removed. */
export interface LifecycleFacet {
  /** 3. Afterwards the container is `pending` and everything about it is on disk. The image must be local. */
  createContainer(id: ContainerId, spec: ServiceSpec, o?: t.CallOptions): Promise<void>;
  /** 4. Resolves once the user's program was exec'd. Already running is success. `start_failed` carries the exit code. */
  startContainer(id: ContainerId, o?: t.CallOptions): Promise<void>;
  /** 5. `timeoutMs`: absent = the spec's, else 10,000; 0 = kill at once; negative or Infinity = never kill. */
  stopContainer(id: ContainerId, timeoutMs?: number, o?: t.CallOptions & { readonly stopSignal?: string | undefined }): Promise<void>;
  /** 6. Forceful; removes everything but named volumes. A second removal is `not_found`. */
  removeContainer(id: ContainerId, o?: t.CallOptions & { readonly keepAnonymousVolumes?: boolean | undefined }): Promise<void>;
  /** 19. Changes the human name only. */
  renameContainer(id: ContainerId, newName: string, o?: t.CallOptions): Promise<void>;
  /** 28. Default SIGKILL. Six names unless `anySignal`. Not running is `conflict`. */
  killContainer(id: ContainerId, signal?: string, o?: t.CallOptions & { readonly anySignal?: boolean | undefined }): Promise<void>;
  /** 39. */
  pauseContainer(id: ContainerId, o?: t.CallOptions): Promise<void>;
  /** 40. */
  unpauseContainer(id: ContainerId, o?: t.CallOptions): Promise<void>;
  /** 41. All or nothing; warnings name fields without effect. */
  updateContainerResources(id: ContainerId, update: ContainerResourceUpdate, o?: t.CallOptions): Promise<ContainerUpdateOutcome>;
  /** 45. */
  pruneContainers(o?: t.CallOptions & { readonly until?: Date | undefined; readonly labels?: readonly string[] | undefined }): Promise<t.ContainerPruneResult>;
  /** 21. Flushes named volumes of this container to their remote store. */
  syncContainerVolumes(id: ContainerId, o?: t.CallOptions): Promise<void>;
}

/** What a container is doing, without changing it. */
export interface ObserveFacet {
  /** 7. The actual state, never a cached guess. */
  containerState(id: ContainerId, o?: t.CallOptions): Promise<t.ContainerState>;
  /** 38. */
  inspectDetailed(id: ContainerId, o?: t.CallOptions): Promise<t.ContainerInspectDetails>;
  /** 46. Everything the backend knows; a failure is an error, never a shorter list. */
  listContainers(o?: t.CallOptions): Promise<readonly t.RuntimeContainerSummary[]>;
  /** 42. */
  topContainer(id: ContainerId, psArgs: readonly string[], o?: t.CallOptions): Promise<t.ContainerTopOutput>;
  /** 43. */
  changesContainer(id: ContainerId, o?: t.CallOptions): Promise<readonly t.FilesystemChangeEntry[]>;
  /** 44. Real bindings; empty when not running. */
  portMappingsContainer(id: ContainerId, o?: t.CallOptions): Promise<readonly t.PortMappingEntry[]>;
  /** 10. One snapshot at once; zeros when not running. */
  getContainerStats(id: ContainerId, o?: t.CallOptions): Promise<t.ContainerStats>;
  /** 23. First sample at once, then one per `intervalMs` (default 1000, min 100); ends with the container. */
  statsStream(id: ContainerId, o?: t.CallOptions & { readonly intervalMs?: number | undefined }): Promise<AsyncIterable<t.StatsSample>>;
  /** 13. Host pid of the main process; `undefined` when not running. */
  getContainerPid(id: ContainerId, o?: t.CallOptions): Promise<number | undefined>;
  /** 14. */
  getContainerIp(id: ContainerId, o?: t.CallOptions): Promise<string | undefined>;
  /** 20. */
  getContainerPortOverride(id: ContainerId, o?: t.CallOptions): Promise<number | undefined>;
}

/** What the main process wrote. The stream is the primitive, 8 and 12 are views of it. */
export interface LogsFacet {
  /** 8. Last `tail` lines over both channels, oldest first; 0 = all. */
  containerLogs(id: ContainerId, tail: number, o?: t.CallOptions): Promise<readonly t.LogEntry[]>;
  /** 12. Complete right after `waitContainer` resolved. */
  getLogs(id: ContainerId, o?: t.CallOptions): Promise<readonly t.LogEntry[]>;
  /** 22. */
  logsStream(id: ContainerId, opts: t.LogsStreamOptions, o?: t.CallOptions): Promise<AsyncIterable<t.LogChunk>>;
}

/** The end of a container. Waits are registered before the returned promise first suspends. */
export interface WaitFacet {
  /** 11. */
  waitContainer(id: ContainerId, o?: t.CallOptions): Promise<number>;
  /** 17. */
  waitOutcome(id: ContainerId, o?: t.CallOptions): Promise<t.WaitOutcome>;
  /** 18. Table in contract 2.4. */
  waitOutcomeWithCondition(id: ContainerId, condition: t.WaitCondition, o?: t.CallOptions): Promise<t.WaitOutcome>;
}

/** Further processes in a running container. Abort kills the exec'd process group. */
export interface ExecFacet {
  /** 9. Buffered, 16 MiB per channel. 127 missing, 126 not executable, 128+n by signal; not running is `conflict`. */
  exec(id: ContainerId, cmd: readonly string[], o?: t.ExecCallOptions): Promise<t.ExecResult>;
  /** 15. Events as output appears; exactly one `exit`, last, on success. Leaving the loop kills the process. */
  execStream(id: ContainerId, cmd: readonly string[], o?: t.ExecCallOptions): Promise<AsyncIterable<t.ExecEvent>>;
  /** 16. Interactive: pty or three pipes. */
  execPty(id: ContainerId, opts: t.ExecOptions, o?: t.CallOptions): Promise<t.ExecHandle>;
}

export interface PullOptions extends t.CallOptions {
  readonly platform?: TargetPlatform | undefined;
  readonly sourcePolicy?: SourcePolicy | undefined;
}

/** The store the backend pulls into. Names are canonicalised; ids are `sha256:<hex>` or a unique prefix of 12 digits. */
export interface ImagesFacet {
  /** 1. Policy `if_not_present`, credentials from Docker's config file. */
  pullImage(image: string, o?: PullOptions): Promise<void>;
  /** 2. */
  pullImageWithPolicy(image: string, policy: PullPolicy, auth?: t.RegistryAuth, o?: PullOptions): Promise<void>;
  /** 24. Policy `always`; exactly one `done`, last, on success. Leaving the loop cancels unless another pull shares it. */
  pullImageStream(image: string, auth?: t.RegistryAuth, o?: PullOptions): Promise<AsyncIterable<t.PullProgress>>;
  /** 25. */
  listImages(o?: t.CallOptions): Promise<readonly t.ImageInfo[]>;
  /** 26. */
  removeImage(image: string, force: boolean, o?: t.CallOptions): Promise<void>;
  /** 27. */
  pruneImages(
    o?: t.CallOptions & { readonly all?: boolean | undefined; readonly until?: Date | undefined; readonly labels?: readonly string[] | undefined },
  ): Promise<t.PruneResult>;
  /** 29. */
  tagImage(source: string, target: string, o?: t.CallOptions): Promise<void>;
  /** 30. */
  inspectImageNative(image: string, o?: t.CallOptions): Promise<t.ImageInspectInfo>;
  /** 31. */
  imageHistory(image: string, o?: t.CallOptions): Promise<readonly t.ImageHistoryEntry[]>;
  /** 32. */
  searchImages(
    term: string,
    limit: number,
    o?: t.CallOptions & { readonly isOfficial?: boolean | undefined; readonly minStars?: number | undefined },
  ): Promise<readonly t.ImageSearchResult[]>;
  /** 33. */
  saveImages(names: readonly string[], o?: t.CallOptions): Promise<t.ByteStream>;
  /** 34. */
  loadImages(tar: t.ByteSource, quiet: boolean, o?: t.CallOptions): Promise<AsyncIterable<t.LoadProgress>>;
  /** 35. */
  importImage(
    tar: t.ByteSource,
    repo?: string,
    tag?: string,
    o?: t.CallOptions & { readonly message?: string | undefined; readonly changes?: string | undefined; readonly platform?: TargetPlatform | undefined },
  ): Promise<string>;
  /** 36. */
  exportContainerFs(id: ContainerId, o?: t.CallOptions): Promise<t.ByteStream>;
  /** 37. */
  commitContainer(id: ContainerId, opts: t.CommitOptions, o?: t.CallOptions): Promise<t.CommitOutcome>;
}

/** Files inside; paths are resolved by the kernel inside the container's root. */
export interface FilesFacet {
  /** 47. */
  archiveGet(id: ContainerId, path: string, o?: t.CallOptions): Promise<t.ByteStream>;
  /** 48. */
  archivePut(id: ContainerId, path: string, tar: t.ByteSource, opts?: t.ArchivePutOptions, o?: t.CallOptions): Promise<void>;
  /** 49. */
  archiveHead(id: ContainerId, path: string, o?: t.CallOptions): Promise<t.PathStat>;
}

export interface Runtime extends LifecycleFacet, ObserveFacet, LogsFacet, WaitFacet, ExecFacet, ImagesFacet, FilesFacet, AsyncDisposable {
  /** Name of the backend: `native`, `docker`, `mock`, … */
  readonly backend: string;
  /** What this backend can do, as data. */
  readonly capabilities: Capabilities;
  readonly extras?: RuntimeExtras | undefined;
  /** Releases what this process holds; containers go on. Pending waits reject with `aborted`. Idempotent. */
  close(): Promise<void>;
}
