import { isBerthError } from "../../errors.ts";
import { abandonable } from "../../internal/abort.ts";
import { KeyedLock } from "../../internal/keyed-lock.ts";
import type { Capabilities } from "../../runtime/capabilities.ts";
import type { RuntimeExtras } from "../../runtime/extras.ts";
import type { PullOptions, Runtime } from "../../runtime/runtime.ts";
import type * as t from "../../runtime/types.ts";
import { type ContainerId, containerIdToString } from "../../spec/container-id.ts";
import type { PullPolicy, ServiceSpec } from "../../spec/service-spec.ts";
import { compositeCapabilities } from "./capabilities.ts";
import type { Children } from "./children.ts";
import type { ChoiceTable } from "./choice-table.ts";
import { chooseChild } from "./choose.ts";
import { compositeExtras } from "./extras.ts";
import { mergedImages, onAllThatHaveIt, pullEverywhere, pullStreamEverywhere } from "./images.ts";
import { Owners } from "./owners.ts";
import { saveFromAll } from "./save-images.ts";
import type { ContainerResourceUpdate, ContainerUpdateOutcome } from "../../runtime/resource-update.ts";

/**
 * One runtime over several backends (contract 3.3, "composite"). Calls about a container go to the backend that has it, calls
 * about images to those that have them; what children answer and throw passes through unchanged.
 */
export class CompositeRuntime implements Runtime {
  readonly backend = "composite";
  readonly capabilities: Capabilities;
  readonly extras: RuntimeExtras;
  readonly #children: Children;
  readonly #owners: Owners;
  readonly #table: ChoiceTable;
  readonly #creating = new KeyedLock();
  #closed: Promise<void> | undefined;

  private constructor(children: Children, table: ChoiceTable) {
    this.#children = children;
    this.#table = table;
    this.#owners = new Owners(children, table);
    this.capabilities = compositeCapabilities(children.all.map(({ runtime }) => runtime.capabilities));
    this.extras = compositeExtras(children, this.#owners);
  }

  /** The composite owns children and table from here on: `close` closes them. */
  static async open(children: Children, table: ChoiceTable): Promise<CompositeRuntime> {
    const composite = new CompositeRuntime(children, table);
    await composite.#owners.reconcile();
    return composite;
  }

  close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
  }

  async #closeAll(): Promise<void> {
    await Promise.all(this.#children.all.map(({ runtime }) => runtime.close()));
    await this.#creating.idle();
    this.#table.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Calls without a pause where the owner is known: waits must be registered before this returns. */
  async #at<T>(id: ContainerId, call: (runtime: Runtime) => Promise<T>, o?: t.CallOptions): Promise<T> {
    o?.signal?.throwIfAborted();
    const { runtime } = this.#owners.known(id) ?? (await this.#owners.find(id));
    return await call(runtime);
  }

  async createContainer(id: ContainerId, spec: ServiceSpec, o?: t.CallOptions): Promise<void> {
    o?.signal?.throwIfAborted();
    await abandonable(
      this.#creating.run(containerIdToString(id), () => this.#create(id, spec, o)),
      o?.signal,
    );
  }

  async #create(id: ContainerId, spec: ServiceSpec, o?: t.CallOptions): Promise<void> {
    const owner = this.#owners.known(id);
    // A container that is there is refused by its own backend, also when this spec belongs on another one.
    const isThere = owner !== undefined && (await exists(owner.runtime, id));
    const child = isThere ? owner : await chooseChild(this.#children, spec);
    await this.#owners.choose(id, child, () => child.runtime.createContainer(id, spec, o));
  }

  async removeContainer(id: ContainerId, o?: Parameters<Runtime["removeContainer"]>[1]): Promise<void> {
    await this.#at(id, (r) => r.removeContainer(id, o), o);
    this.#owners.forget(id);
  }

  async pruneContainers(o?: Parameters<Runtime["pruneContainers"]>[0]): Promise<t.ContainerPruneResult> {
    const results = await this.#children.everyone((r) => r.pruneContainers(o));
    await this.#owners.reconcile();
    return merged(results);
  }

  async listContainers(o?: t.CallOptions): Promise<readonly t.RuntimeContainerSummary[]> {
    return (await this.#children.everyone((r) => r.listContainers(o))).flat();
  }

  startContainer(id: ContainerId, o?: t.CallOptions): Promise<void> {
    return this.#at(id, (r) => r.startContainer(id, o), o);
  }

  stopContainer(id: ContainerId, timeoutMs?: number, o?: Parameters<Runtime["stopContainer"]>[2]): Promise<void> {
    return this.#at(id, (r) => r.stopContainer(id, timeoutMs, o), o);
  }

  renameContainer(id: ContainerId, newName: string, o?: t.CallOptions): Promise<void> {
    return this.#at(id, (r) => r.renameContainer(id, newName, o), o);
  }

  killContainer(id: ContainerId, signal?: string, o?: Parameters<Runtime["killContainer"]>[2]): Promise<void> {
    return this.#at(id, (r) => r.killContainer(id, signal, o), o);
  }

  pauseContainer(id: ContainerId, o?: t.CallOptions): Promise<void> {
    return this.#at(id, (r) => r.pauseContainer(id, o), o);
  }

  unpauseContainer(id: ContainerId, o?: t.CallOptions): Promise<void> {
    return this.#at(id, (r) => r.unpauseContainer(id, o), o);
  }

  updateContainerResources(id: ContainerId, update: ContainerResourceUpdate, o?: t.CallOptions): Promise<ContainerUpdateOutcome> {
    return this.#at(id, (r) => r.updateContainerResources(id, update, o), o);
  }

  syncContainerVolumes(id: ContainerId, o?: t.CallOptions): Promise<void> {
    return this.#at(id, (r) => r.syncContainerVolumes(id, o), o);
  }

  containerState(id: ContainerId, o?: t.CallOptions): Promise<t.ContainerState> {
    return this.#at(id, (r) => r.containerState(id, o), o);
  }

  inspectDetailed(id: ContainerId, o?: t.CallOptions): Promise<t.ContainerInspectDetails> {
    return this.#at(id, (r) => r.inspectDetailed(id, o), o);
  }

  topContainer(id: ContainerId, psArgs: readonly string[], o?: t.CallOptions): Promise<t.ContainerTopOutput> {
    return this.#at(id, (r) => r.topContainer(id, psArgs, o), o);
  }

  changesContainer(id: ContainerId, o?: t.CallOptions): Promise<readonly t.FilesystemChangeEntry[]> {
    return this.#at(id, (r) => r.changesContainer(id, o), o);
  }

  portMappingsContainer(id: ContainerId, o?: t.CallOptions): Promise<readonly t.PortMappingEntry[]> {
    return this.#at(id, (r) => r.portMappingsContainer(id, o), o);
  }

  getContainerStats(id: ContainerId, o?: t.CallOptions): Promise<t.ContainerStats> {
    return this.#at(id, (r) => r.getContainerStats(id, o), o);
  }

  statsStream(id: ContainerId, o?: Parameters<Runtime["statsStream"]>[1]): Promise<AsyncIterable<t.StatsSample>> {
    return this.#at(id, (r) => r.statsStream(id, o), o);
  }

  getContainerPid(id: ContainerId, o?: t.CallOptions): Promise<number | undefined> {
    return this.#at(id, (r) => r.getContainerPid(id, o), o);
  }

  getContainerIp(id: ContainerId, o?: t.CallOptions): Promise<string | undefined> {
    return this.#at(id, (r) => r.getContainerIp(id, o), o);
  }

  getContainerPortOverride(id: ContainerId, o?: t.CallOptions): Promise<number | undefined> {
    return this.#at(id, (r) => r.getContainerPortOverride(id, o), o);
  }

  containerLogs(id: ContainerId, tail: number, o?: t.CallOptions): Promise<readonly t.LogEntry[]> {
    return this.#at(id, (r) => r.containerLogs(id, tail, o), o);
  }

  getLogs(id: ContainerId, o?: t.CallOptions): Promise<readonly t.LogEntry[]> {
    return this.#at(id, (r) => r.getLogs(id, o), o);
  }

  logsStream(id: ContainerId, opts: t.LogsStreamOptions, o?: t.CallOptions): Promise<AsyncIterable<t.LogChunk>> {
    return this.#at(id, (r) => r.logsStream(id, opts, o), o);
  }

  waitContainer(id: ContainerId, o?: t.CallOptions): Promise<number> {
    return this.#at(id, (r) => r.waitContainer(id, o), o);
  }

  waitOutcome(id: ContainerId, o?: t.CallOptions): Promise<t.WaitOutcome> {
    return this.#at(id, (r) => r.waitOutcome(id, o), o);
  }

  waitOutcomeWithCondition(id: ContainerId, condition: t.WaitCondition, o?: t.CallOptions): Promise<t.WaitOutcome> {
    return this.#at(id, (r) => r.waitOutcomeWithCondition(id, condition, o), o);
  }

  exec(id: ContainerId, cmd: readonly string[], o?: t.ExecCallOptions): Promise<t.ExecResult> {
    return this.#at(id, (r) => r.exec(id, cmd, o), o);
  }

  execStream(id: ContainerId, cmd: readonly string[], o?: t.ExecCallOptions): Promise<AsyncIterable<t.ExecEvent>> {
    return this.#at(id, (r) => r.execStream(id, cmd, o), o);
  }

  execPty(id: ContainerId, opts: t.ExecOptions, o?: t.CallOptions): Promise<t.ExecHandle> {
    return this.#at(id, (r) => r.execPty(id, opts, o), o);
  }

  exportContainerFs(id: ContainerId, o?: t.CallOptions): Promise<t.ByteStream> {
    return this.#at(id, (r) => r.exportContainerFs(id, o), o);
  }

  commitContainer(id: ContainerId, opts: t.CommitOptions, o?: t.CallOptions): Promise<t.CommitOutcome> {
    return this.#at(id, (r) => r.commitContainer(id, opts, o), o);
  }

  archiveGet(id: ContainerId, path: string, o?: t.CallOptions): Promise<t.ByteStream> {
    return this.#at(id, (r) => r.archiveGet(id, path, o), o);
  }

  archivePut(id: ContainerId, path: string, tar: t.ByteSource, opts?: t.ArchivePutOptions, o?: t.CallOptions): Promise<void> {
    return this.#at(id, (r) => r.archivePut(id, path, tar, opts, o), o);
  }

  archiveHead(id: ContainerId, path: string, o?: t.CallOptions): Promise<t.PathStat> {
    return this.#at(id, (r) => r.archiveHead(id, path, o), o);
  }

  pullImage(image: string, o?: PullOptions): Promise<void> {
    return pullEverywhere(this.#children, o, (r) => r.pullImage(image, o));
  }

  pullImageWithPolicy(image: string, policy: PullPolicy, auth?: t.RegistryAuth, o?: PullOptions): Promise<void> {
    return pullEverywhere(this.#children, o, (r) => r.pullImageWithPolicy(image, policy, auth, o));
  }

  pullImageStream(image: string, auth?: t.RegistryAuth, o?: PullOptions): Promise<AsyncIterable<t.PullProgress>> {
    return pullStreamEverywhere(this.#children, o, (r) => r.pullImageStream(image, auth, o));
  }

  async listImages(o?: t.CallOptions): Promise<readonly t.ImageInfo[]> {
    return mergedImages(await this.#children.everyone((r) => r.listImages(o)));
  }

  removeImage(image: string, force: boolean, o?: t.CallOptions): Promise<void> {
    return onAllThatHaveIt(this.#children, (r) => r.removeImage(image, force, o));
  }

  async pruneImages(o?: Parameters<Runtime["pruneImages"]>[0]): Promise<t.PruneResult> {
    const { deleted, spaceReclaimed } = merged(await this.#children.everyone((r) => r.pruneImages(o)));
    // What one child gave up is not gone while another has it.
    const here = new Set((await this.listImages(o)).flatMap(({ reference, id }) => [reference, id]));
    return { deleted: [...new Set(deleted)].filter((name) => !here.has(name)), spaceReclaimed };
  }

  tagImage(source: string, target: string, o?: t.CallOptions): Promise<void> {
    return onAllThatHaveIt(this.#children, (r) => r.tagImage(source, target, o));
  }

  inspectImageNative(image: string, o?: t.CallOptions): Promise<t.ImageInspectInfo> {
    return this.#children.first((r) => r.inspectImageNative(image, o));
  }

  imageHistory(image: string, o?: t.CallOptions): Promise<readonly t.ImageHistoryEntry[]> {
    return this.#children.first((r) => r.imageHistory(image, o));
  }

  searchImages(term: string, limit: number, o?: Parameters<Runtime["searchImages"]>[2]): Promise<readonly t.ImageSearchResult[]> {
    return this.#children.primary.runtime.searchImages(term, limit, o);
  }

  saveImages(names: readonly string[], o?: t.CallOptions): Promise<t.ByteStream> {
    return saveFromAll(this.#children, names, o);
  }

  loadImages(tar: t.ByteSource, quiet: boolean, o?: t.CallOptions): Promise<AsyncIterable<t.LoadProgress>> {
    return this.#children.primary.runtime.loadImages(tar, quiet, o);
  }

  importImage(tar: t.ByteSource, repo?: string, tag?: string, o?: Parameters<Runtime["importImage"]>[3]): Promise<string> {
    return this.#children.primary.runtime.importImage(tar, repo, tag, o);
  }
}

async function exists(runtime: Runtime, id: ContainerId): Promise<boolean> {
  try {
    await runtime.containerState(id);
    return true;
  } catch (error) {
    if (isBerthError(error, "not_found")) return false;
    throw error;
  }
}

function merged(results: readonly t.PruneResult[]): t.PruneResult {
  return { deleted: results.flatMap(({ deleted }) => deleted), spaceReclaimed: results.reduce((sum, one) => sum + one.spaceReclaimed, 0) };
}
