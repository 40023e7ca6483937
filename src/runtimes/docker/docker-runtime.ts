import { BaseRuntime } from "../../runtime/base-runtime.ts";
import { type Capabilities, capabilitiesExcept } from "../../runtime/capabilities.ts";
import { assertTail, assertWaitCondition, logEntriesFrom } from "../../runtime/derive.ts";
import type { RuntimeExtras } from "../../runtime/extras.ts";
import type { PullOptions, Runtime } from "../../runtime/runtime.ts";
import type * as t from "../../runtime/types.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { PullPolicy, ServiceSpec } from "../../spec/service-spec.ts";
import { exportContainer, importImage, loadImages, saveImages } from "./archives.ts";
import { attachContainer, resizeContainer } from "./attach.ts";
import { containerIp } from "./container-ip.ts";
import { changesOf } from "./changes.ts";
import { changing } from "./changing.ts";
import { commitContainer } from "./commit.ts";
import type { DockerContext } from "./context.ts";
import { createContainer } from "./create.ts";
import { diskUsage, runtimeInfo } from "./engine-info.ts";
import { engineEvents } from "./events.ts";
import { exec, execPty, execStream, openExec } from "./exec-calls.ts";
import { archiveGet, archiveHead, archivePut } from "./files.ts";
import { imageHistory, inspectImage, listImages, pruneImages, removeImage, searchImages, tagImage } from "./images.ts";
import { boundPorts, detailsOf, isRunning, pidOf } from "./inspect.ts";
import { inspectEngine, killContainer, removeContainer, renameContainer, restartContainer, setPaused, startContainer, stopContainer } from "./lifecycle.ts";
import { listContainers } from "./list.ts";
import { logsStream } from "./logs.ts";
import { networksFacet } from "./networks.ts";
import { capabilitiesOf } from "./podman.ts";
import { pullImage, pullProgress, pushImage, resolveImage } from "./pull.ts";
import { stateFromInspect } from "./state.ts";
import { containerStats, statsStream } from "./stats.ts";
import { topContainer } from "./top.ts";
import { pruneContainers, updateResources } from "./update.ts";
import { volumesFacet } from "./volumes.ts";
import { waitFor } from "./wait.ts";
import type { ContainerResourceUpdate, ContainerUpdateOutcome } from "../../runtime/resource-update.ts";

export const dockerCapabilities: Capabilities = capabilitiesExcept({
  syncContainerVolumes: { support: "neutral", reason: "no remote store is configured" },
});

/** Containers on any engine that speaks Docker's API (contract 3.3, "docker"). */
export class DockerRuntime extends BaseRuntime {
  readonly #ctx: DockerContext;

  constructor(ctx: DockerContext) {
    super({ backend: "docker", capabilities: capabilitiesOf(ctx.facts, dockerCapabilities), extras: extrasOf(ctx) });
    this.#ctx = ctx;
  }

  async createContainer(id: ContainerId, spec: ServiceSpec, o?: t.CallOptions): Promise<void> {
    await changing(o, () => createContainer(this.#ctx, id, spec));
  }

  async startContainer(id: ContainerId, o?: t.CallOptions): Promise<void> {
    await changing(o, () => startContainer(this.#ctx, id));
  }

  async stopContainer(id: ContainerId, timeoutMs?: number, o?: t.CallOptions & { readonly stopSignal?: string | undefined }): Promise<void> {
    await changing(o, () => stopContainer(this.#ctx, id, timeoutMs, o?.stopSignal));
  }

  async removeContainer(id: ContainerId, o?: t.CallOptions & { readonly keepAnonymousVolumes?: boolean | undefined }): Promise<void> {
    await changing(o, () => removeContainer(this.#ctx, id, o?.keepAnonymousVolumes === true));
  }

  override async renameContainer(id: ContainerId, newName: string, o?: t.CallOptions): Promise<void> {
    await changing(o, () => renameContainer(this.#ctx, id, newName));
  }

  override async killContainer(id: ContainerId, signal?: string, o?: t.CallOptions & { readonly anySignal?: boolean | undefined }): Promise<void> {
    await changing(o, () => killContainer(this.#ctx, id, signal, o?.anySignal === true));
  }

  override async pauseContainer(id: ContainerId, o?: t.CallOptions): Promise<void> {
    await changing(o, () => setPaused(this.#ctx, id, true));
  }

  override async unpauseContainer(id: ContainerId, o?: t.CallOptions): Promise<void> {
    await changing(o, () => setPaused(this.#ctx, id, false));
  }

  override async updateContainerResources(id: ContainerId, update: ContainerResourceUpdate, o?: t.CallOptions): Promise<ContainerUpdateOutcome> {
    if (this.capabilities.updateContainerResources.support === "unsupported") return await this.unsupported("updateContainerResources");
    return await changing(o, () => updateResources(this.#ctx, id, update));
  }

  override async pruneContainers(o?: Parameters<Runtime["pruneContainers"]>[0]): Promise<t.ContainerPruneResult> {
    return await changing(o, () => pruneContainers(this.#ctx, { until: o?.until, labels: o?.labels }));
  }

  async containerState(id: ContainerId, o?: t.CallOptions): Promise<t.ContainerState> {
    return stateFromInspect((await this.#inspect(id, o)).State);
  }

  override async inspectDetailed(id: ContainerId, o?: t.CallOptions): Promise<t.ContainerInspectDetails> {
    return detailsOf(await this.#inspect(id, o));
  }

  override async listContainers(o?: t.CallOptions): Promise<readonly t.RuntimeContainerSummary[]> {
    return await listContainers(this.#ctx, o?.signal);
  }

  override async topContainer(id: ContainerId, psArgs: readonly string[], o?: t.CallOptions): Promise<t.ContainerTopOutput> {
    return await topContainer(this.#ctx, id, psArgs, o?.signal);
  }

  override async changesContainer(id: ContainerId, o?: t.CallOptions): Promise<readonly t.FilesystemChangeEntry[]> {
    return await changesOf(this.#ctx, id, o?.signal);
  }

  override async portMappingsContainer(id: ContainerId, o?: t.CallOptions): Promise<readonly t.PortMappingEntry[]> {
    return boundPorts(await this.#inspect(id, o));
  }

  async getContainerStats(id: ContainerId, o?: t.CallOptions): Promise<t.ContainerStats> {
    return await containerStats(this.#ctx, id, o?.signal);
  }

  override async statsStream(id: ContainerId, o?: t.CallOptions & { readonly intervalMs?: number | undefined }): Promise<AsyncIterable<t.StatsSample>> {
    return await statsStream(this.#ctx, id, o?.intervalMs ?? 1000, o?.signal);
  }

  async getContainerPid(id: ContainerId, o?: t.CallOptions): Promise<number | undefined> {
    const found = await this.#inspect(id, o);
    return isRunning(found) ? pidOf(found) : undefined;
  }

  async getContainerIp(id: ContainerId, o?: t.CallOptions): Promise<string | undefined> {
    return await containerIp(this.#ctx, await this.#inspect(id, o), o?.signal);
  }

  override async getContainerPortOverride(id: ContainerId, o?: t.CallOptions): Promise<number | undefined> {
    return (await this.#ctx.ids.use(id, o?.signal, async (container) => container)).port;
  }

  async containerLogs(id: ContainerId, tail: number, o?: t.CallOptions): Promise<readonly t.LogEntry[]> {
    assertTail(tail);
    const options = { timestamps: true, ...(tail === 0 ? {} : { tail }) };
    return await logEntriesFrom(await logsStream(this.#ctx, id, options, o?.signal), id, tail);
  }

  async getLogs(id: ContainerId, o?: t.CallOptions): Promise<readonly t.LogEntry[]> {
    return await this.containerLogs(id, 0, o);
  }

  override async logsStream(id: ContainerId, opts: t.LogsStreamOptions, o?: t.CallOptions): Promise<AsyncIterable<t.LogChunk>> {
    if (opts.tail !== undefined) assertTail(opts.tail);
    return await logsStream(this.#ctx, id, opts, o?.signal);
  }

  async waitContainer(id: ContainerId, o?: t.CallOptions): Promise<number> {
    return (await waitFor(this.#ctx, id, "not-running", o?.signal)).exitCode;
  }

  override async waitOutcome(id: ContainerId, o?: t.CallOptions): Promise<t.WaitOutcome> {
    return await waitFor(this.#ctx, id, "not-running", o?.signal);
  }

  override async waitOutcomeWithCondition(id: ContainerId, condition: t.WaitCondition, o?: t.CallOptions): Promise<t.WaitOutcome> {
    return await waitFor(this.#ctx, id, assertWaitCondition(condition), o?.signal);
  }

  async exec(id: ContainerId, cmd: readonly string[], o?: t.ExecCallOptions): Promise<t.ExecResult> {
    return await exec(this.#ctx, id, cmd, o ?? {});
  }

  override async execStream(id: ContainerId, cmd: readonly string[], o?: t.ExecCallOptions): Promise<AsyncIterable<t.ExecEvent>> {
    return await execStream(this.#ctx, id, cmd, o ?? {});
  }

  override async execPty(id: ContainerId, opts: t.ExecOptions, o?: t.CallOptions): Promise<t.ExecHandle> {
    return await execPty(this.#ctx, id, opts, o?.signal);
  }

  async pullImage(image: string, o?: PullOptions): Promise<void> {
    await pullImage(this.#ctx, image, "if_not_present", undefined, o ?? {});
  }

  async pullImageWithPolicy(image: string, policy: PullPolicy, auth?: t.RegistryAuth, o?: PullOptions): Promise<void> {
    await pullImage(this.#ctx, image, policy, auth, o ?? {});
  }

  override async pullImageStream(image: string, auth?: t.RegistryAuth, o?: PullOptions): Promise<AsyncIterable<t.PullProgress>> {
    return await pullProgress(this.#ctx, image, auth, o ?? {});
  }

  override async listImages(o?: t.CallOptions): Promise<readonly t.ImageInfo[]> {
    return await listImages(this.#ctx, o?.signal);
  }

  override async removeImage(image: string, force: boolean, o?: t.CallOptions): Promise<void> {
    await changing(o, () => removeImage(this.#ctx, image, force));
  }

  override async pruneImages(o?: Parameters<Runtime["pruneImages"]>[0]): Promise<t.PruneResult> {
    return await changing(o, () => pruneImages(this.#ctx, o ?? {}));
  }

  override async tagImage(source: string, target: string, o?: t.CallOptions): Promise<void> {
    await changing(o, () => tagImage(this.#ctx, source, target));
  }

  override async inspectImageNative(image: string, o?: t.CallOptions): Promise<t.ImageInspectInfo> {
    return await inspectImage(this.#ctx, image, o?.signal);
  }

  override async imageHistory(image: string, o?: t.CallOptions): Promise<readonly t.ImageHistoryEntry[]> {
    return await imageHistory(this.#ctx, image, o?.signal);
  }

  override async searchImages(term: string, limit: number, o?: Parameters<Runtime["searchImages"]>[2]): Promise<readonly t.ImageSearchResult[]> {
    return await searchImages(this.#ctx, term, limit, o ?? {});
  }

  override async saveImages(names: readonly string[], o?: t.CallOptions): Promise<t.ByteStream> {
    return await saveImages(this.#ctx, names, o?.signal);
  }

  override async loadImages(tar: t.ByteSource, quiet: boolean, o?: t.CallOptions): Promise<AsyncIterable<t.LoadProgress>> {
    return await loadImages(this.#ctx, tar, quiet, o?.signal);
  }

  override async importImage(tar: t.ByteSource, repo?: string, tag?: string, o?: Parameters<Runtime["importImage"]>[3]): Promise<string> {
    return await changing(o, () => importImage(this.#ctx, tar, repo, tag, o ?? {}));
  }

  override async exportContainerFs(id: ContainerId, o?: t.CallOptions): Promise<t.ByteStream> {
    return await exportContainer(this.#ctx, id, o?.signal);
  }

  override async commitContainer(id: ContainerId, opts: t.CommitOptions, o?: t.CallOptions): Promise<t.CommitOutcome> {
    return await changing(o, () => commitContainer(this.#ctx, id, opts));
  }

  override async archiveGet(id: ContainerId, path: string, o?: t.CallOptions): Promise<t.ByteStream> {
    return await archiveGet(this.#ctx, id, path, o?.signal);
  }

  override async archivePut(id: ContainerId, path: string, tar: t.ByteSource, opts?: t.ArchivePutOptions, o?: t.CallOptions): Promise<void> {
    await changing(o, () => archivePut(this.#ctx, id, path, tar, opts ?? {}, o?.signal));
  }

  override async archiveHead(id: ContainerId, path: string, o?: t.CallOptions): Promise<t.PathStat> {
    return await archiveHead(this.#ctx, id, path, o?.signal);
  }

  override async close(): Promise<void> {
    this.#ctx.client.close();
  }

  #inspect(id: ContainerId, o: t.CallOptions | undefined): ReturnType<typeof inspectEngine> {
    return this.#ctx.ids.use(id, o?.signal, ({ engineId }) => inspectEngine(this.#ctx, engineId, o?.signal));
  }
}

function extrasOf(ctx: DockerContext): RuntimeExtras {
  return {
    attachContainer: (id, o) => attachContainer(ctx, id, o ?? {}),
    restartContainer: (id, o) => changing(o, () => restartContainer(ctx, id, o ?? {})),
    resizeContainer: (id, rows, cols, o) => resizeContainer(ctx, id, rows, cols, o?.signal),
    openExec: (id, options, o) => openExec(ctx, id, options, o ?? {}),
    pushImage: (image, auth, o) => pushImage(ctx, image, auth, o ?? {}),
    resolveImage: (image, auth, o) => resolveImage(ctx, image, auth, o ?? {}),
    events: (o) => engineEvents(ctx, o ?? {}),
    diskUsage: (o) => diskUsage(ctx, o?.signal),
    volumes: volumesFacet(ctx),
    networks: networksFacet(ctx),
    info: () => runtimeInfo(ctx),
  };
}
