/**
 * What every backend starts from (contract 2.8): 14 methods it must write, 27 that reject with `unsupported` and the reason
 * its capabilities give, 4 that follow from another method, 4 whose neutral answer is "nothing".
 */
import { UnsupportedError } from "../errors.ts";
import type { ContainerId } from "../spec/container-id.ts";
import { canonicalReference, parseReference } from "../spec/reference.ts";
import type { PullPolicy, ServiceSpec } from "../spec/service-spec.ts";
import type { Capabilities, RuntimeMethod } from "./capabilities.ts";
import { execResultEvents } from "./exec-events.ts";
import type { RuntimeExtras } from "./extras.ts";
import type { PullOptions, Runtime } from "./runtime.ts";
import type * as t from "./types.ts";
import type { ContainerResourceUpdate, ContainerUpdateOutcome } from "./resource-update.ts";

export abstract class BaseRuntime implements Runtime {
  readonly backend: string;
  readonly capabilities: Capabilities;
  readonly extras?: RuntimeExtras | undefined;

  constructor(o: { readonly backend: string; readonly capabilities: Capabilities; readonly extras?: RuntimeExtras | undefined }) {
    this.backend = o.backend;
    this.capabilities = o.capabilities;
    this.extras = o.extras;
  }

  abstract pullImage(image: string, o?: PullOptions): Promise<void>;
  abstract pullImageWithPolicy(image: string, policy: PullPolicy, auth?: t.RegistryAuth, o?: PullOptions): Promise<void>;
  abstract createContainer(id: ContainerId, spec: ServiceSpec, o?: t.CallOptions): Promise<void>;
  abstract startContainer(id: ContainerId, o?: t.CallOptions): Promise<void>;
  abstract stopContainer(id: ContainerId, timeoutMs?: number, o?: t.CallOptions & { readonly stopSignal?: string | undefined }): Promise<void>;
  abstract removeContainer(id: ContainerId, o?: t.CallOptions & { readonly keepAnonymousVolumes?: boolean | undefined }): Promise<void>;
  abstract containerState(id: ContainerId, o?: t.CallOptions): Promise<t.ContainerState>;
  abstract containerLogs(id: ContainerId, tail: number, o?: t.CallOptions): Promise<readonly t.LogEntry[]>;
  abstract exec(id: ContainerId, cmd: readonly string[], o?: t.ExecCallOptions): Promise<t.ExecResult>;
  abstract getContainerStats(id: ContainerId, o?: t.CallOptions): Promise<t.ContainerStats>;
  abstract waitContainer(id: ContainerId, o?: t.CallOptions): Promise<number>;
  abstract getLogs(id: ContainerId, o?: t.CallOptions): Promise<readonly t.LogEntry[]>;
  abstract getContainerPid(id: ContainerId, o?: t.CallOptions): Promise<number | undefined>;
  abstract getContainerIp(id: ContainerId, o?: t.CallOptions): Promise<string | undefined>;

  async execStream(id: ContainerId, cmd: readonly string[], o?: t.ExecCallOptions): Promise<AsyncIterable<t.ExecEvent>> {
    return execResultEvents(await this.exec(id, cmd, o));
  }

  async waitOutcome(id: ContainerId, o?: t.CallOptions): Promise<t.WaitOutcome> {
    return { exitCode: await this.waitContainer(id, o), reason: "exited" };
  }

  waitOutcomeWithCondition(id: ContainerId, _condition: t.WaitCondition, o?: t.CallOptions): Promise<t.WaitOutcome> {
    return this.waitOutcome(id, o);
  }

  async pullImageStream(image: string, auth?: t.RegistryAuth, o?: PullOptions): Promise<AsyncIterable<t.PullProgress>> {
    const reference = canonicalReference(parseReference(image));
    return this.#pullProgress(reference, auth, o);
  }

  async *#pullProgress(reference: string, auth?: t.RegistryAuth, o?: PullOptions): AsyncGenerator<t.PullProgress> {
    yield { kind: "status", status: `Pulling from ${reference}` };
    await this.pullImageWithPolicy(reference, "always", auth, o);
    yield { kind: "done", reference };
  }

  async getContainerPortOverride(_id: ContainerId, _o?: t.CallOptions): Promise<number | undefined> {
    return undefined;
  }

  async syncContainerVolumes(_id: ContainerId, _o?: t.CallOptions): Promise<void> {}

  async inspectDetailed(_id: ContainerId, _o?: t.CallOptions): Promise<t.ContainerInspectDetails> {
    return { ports: [], networks: [] };
  }

  async listContainers(_o?: t.CallOptions): Promise<readonly t.RuntimeContainerSummary[]> {
    return [];
  }

  execPty(_id: ContainerId, _opts: t.ExecOptions, _o?: t.CallOptions): Promise<t.ExecHandle> {
    return this.unsupported("execPty");
  }

  renameContainer(_id: ContainerId, _newName: string, _o?: t.CallOptions): Promise<void> {
    return this.unsupported("renameContainer");
  }

  logsStream(_id: ContainerId, _opts: t.LogsStreamOptions, _o?: t.CallOptions): Promise<AsyncIterable<t.LogChunk>> {
    return this.unsupported("logsStream");
  }

  statsStream(_id: ContainerId, _o?: t.CallOptions & { readonly intervalMs?: number | undefined }): Promise<AsyncIterable<t.StatsSample>> {
    return this.unsupported("statsStream");
  }

  listImages(_o?: t.CallOptions): Promise<readonly t.ImageInfo[]> {
    return this.unsupported("listImages");
  }

  removeImage(_image: string, _force: boolean, _o?: t.CallOptions): Promise<void> {
    return this.unsupported("removeImage");
  }

  pruneImages(_o?: Parameters<Runtime["pruneImages"]>[0]): Promise<t.PruneResult> {
    return this.unsupported("pruneImages");
  }

  killContainer(_id: ContainerId, _signal?: string, _o?: t.CallOptions & { readonly anySignal?: boolean | undefined }): Promise<void> {
    return this.unsupported("killContainer");
  }

  tagImage(_source: string, _target: string, _o?: t.CallOptions): Promise<void> {
    return this.unsupported("tagImage");
  }

  inspectImageNative(_image: string, _o?: t.CallOptions): Promise<t.ImageInspectInfo> {
    return this.unsupported("inspectImageNative");
  }

  imageHistory(_image: string, _o?: t.CallOptions): Promise<readonly t.ImageHistoryEntry[]> {
    return this.unsupported("imageHistory");
  }

  searchImages(_term: string, _limit: number, _o?: Parameters<Runtime["searchImages"]>[2]): Promise<readonly t.ImageSearchResult[]> {
    return this.unsupported("searchImages");
  }

  saveImages(_names: readonly string[], _o?: t.CallOptions): Promise<t.ByteStream> {
    return this.unsupported("saveImages");
  }

  loadImages(_tar: t.ByteSource, _quiet: boolean, _o?: t.CallOptions): Promise<AsyncIterable<t.LoadProgress>> {
    return this.unsupported("loadImages");
  }

  importImage(_tar: t.ByteSource, _repo?: string, _tag?: string, _o?: Parameters<Runtime["importImage"]>[3]): Promise<string> {
    return this.unsupported("importImage");
  }

  exportContainerFs(_id: ContainerId, _o?: t.CallOptions): Promise<t.ByteStream> {
    return this.unsupported("exportContainerFs");
  }

  commitContainer(_id: ContainerId, _opts: t.CommitOptions, _o?: t.CallOptions): Promise<t.CommitOutcome> {
    return this.unsupported("commitContainer");
  }

  pauseContainer(_id: ContainerId, _o?: t.CallOptions): Promise<void> {
    return this.unsupported("pauseContainer");
  }

  unpauseContainer(_id: ContainerId, _o?: t.CallOptions): Promise<void> {
    return this.unsupported("unpauseContainer");
  }

  updateContainerResources(_id: ContainerId, _update: ContainerResourceUpdate, _o?: t.CallOptions): Promise<ContainerUpdateOutcome> {
    return this.unsupported("updateContainerResources");
  }

  topContainer(_id: ContainerId, _psArgs: readonly string[], _o?: t.CallOptions): Promise<t.ContainerTopOutput> {
    return this.unsupported("topContainer");
  }

  changesContainer(_id: ContainerId, _o?: t.CallOptions): Promise<readonly t.FilesystemChangeEntry[]> {
    return this.unsupported("changesContainer");
  }

  portMappingsContainer(_id: ContainerId, _o?: t.CallOptions): Promise<readonly t.PortMappingEntry[]> {
    return this.unsupported("portMappingsContainer");
  }

  pruneContainers(_o?: Parameters<Runtime["pruneContainers"]>[0]): Promise<t.ContainerPruneResult> {
    return this.unsupported("pruneContainers");
  }

  archiveGet(_id: ContainerId, _path: string, _o?: t.CallOptions): Promise<t.ByteStream> {
    return this.unsupported("archiveGet");
  }

  archivePut(_id: ContainerId, _path: string, _tar: t.ByteSource, _opts?: t.ArchivePutOptions, _o?: t.CallOptions): Promise<void> {
    return this.unsupported("archivePut");
  }

  archiveHead(_id: ContainerId, _path: string, _o?: t.CallOptions): Promise<t.PathStat> {
    return this.unsupported("archiveHead");
  }

  /** Nothing held by default. A backend that holds something overrides it; it must stay idempotent. */
  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Rejects with {@link UnsupportedError}, with the reason the capabilities give for this method. */
  protected async unsupported(method: RuntimeMethod): Promise<never> {
    throw new UnsupportedError(method, this.backend, this.capabilities[method].reason ?? "this backend does not offer it");
  }
}
