import { abandonable } from "../../internal/abort.ts";
import { BerthError } from "../../errors.ts";
import { BaseRuntime } from "../../runtime/base-runtime.ts";
import { capabilitiesExcept } from "../../runtime/capabilities.ts";
import { assertTail, assertWaitCondition, logEntriesFrom } from "../../runtime/derive.ts";
import { guardedStream } from "../../runtime/guarded-stream.ts";
import type { DetailedContainer, RuntimeExtras, RuntimeInfo } from "../../runtime/extras.ts";
import type { PullOptions, Runtime } from "../../runtime/runtime.ts";
import type * as t from "../../runtime/types.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { PullPolicy, ServiceSpec } from "../../spec/service-spec.ts";
import { openAttach } from "./attach.ts";
import { mustGet, type NativeContext, pathsOf } from "./context.ts";
import type { ContainerRecord } from "./container-store.ts";
import { findContainer, mainAddress, standingOf } from "./container-network.ts";
import { createContainer } from "./create.ts";
import { commitContainer } from "./files/commit-call.ts";
import { diskUsage } from "./disk-usage.ts";
import { archivePut } from "./files/put-call.ts";
import { archiveGet, archiveHead, changesContainer, exportContainerFs } from "./files/read-calls.ts";
import { events } from "./events.ts";
import { inspectImage, listImages, pullImage, pullProgress } from "./image-calls.ts";
import { loadImages, saveImages } from "./image-archive-calls.ts";
import { pushImage, resolveImage, searchImages } from "./image-registry-calls.ts";
import { imageHistory, pruneImages, removeImage, tagImage } from "./image-store-calls.ts";
import { type ImportOptions, importImage } from "./import-image.ts";
import { inspectRecord, listDetailed, portsOf, summaryOf } from "./inspect.ts";
import type { LogSourceState } from "./log-changes.ts";
import { readLog } from "./log-file.ts";
import { resizeTerminal } from "./monitor-control.ts";
import { networksFacet } from "./networks.ts";
import { exec, execStream, openExec } from "./process-calls.ts";
import { pauseContainer, unpauseContainer } from "./pause.ts";
import { pruneContainers } from "./prune.ts";
import { removeContainer } from "./remove.ts";
import { renameContainer } from "./rename.ts";
import { isRunning, settle, stateOf } from "./run-state.ts";
import { startContainer } from "./start.ts";
import { containerStats, statsStream } from "./stats.ts";
import { killContainer, stopContainer } from "./stop.ts";
import { isRestartPending } from "./supervised-run.ts";
import { supervisionFacet } from "./supervision.ts";
import { syncContainerVolumes } from "./sync-calls.ts";
import { volumesFacet } from "./volume-calls.ts";
import { topContainer } from "./top.ts";
import { updateContainer } from "./update.ts";
import { waitFor } from "./wait.ts";
import type { ContainerResourceUpdate, ContainerUpdateOutcome } from "../../runtime/resource-update.ts";

export const nativeCapabilities = capabilitiesExcept({});

/** Containers by an OCI runtime, conmon and overlayfs on this very host (contract 3.3, "native"). */
export class NativeRuntime extends BaseRuntime {
  readonly #ctx: NativeContext;
  readonly #release: () => Promise<void>;

  constructor(
    ctx: NativeContext,
    o: {
      readonly info: () => RuntimeInfo;
      readonly accounts: Pick<RuntimeExtras, "credentials" | "secrets" | "checkLogin">;
      readonly release: () => Promise<void>;
    },
  ) {
    super({
      backend: "native",
      capabilities: nativeCapabilities,
      extras: {
        attachContainer: (id, options) => this.#attach(id, options ?? {}),
        resizeContainer: async (id, rows, cols, o) => this.#resize(id, rows, cols, o),
        openExec: async (id, options, o) => openExec(this.#ctx, id, options, o?.signal),
        listDetailed: async (options) => this.#listDetailed(options),
        events: async (options = {}) => events(ctx, options),
        diskUsage: async (options) => diskUsage(ctx, options?.signal),
        volumes: volumesFacet(ctx),
        networks: networksFacet(ctx),
        info: async () => o.info(),
        pushImage: async (image, auth, options = {}) => pushImage(ctx, image, auth, options),
        resolveImage: (image, auth, options = {}) => resolveImage(ctx, image, auth, options),
        supervision: supervisionFacet(ctx),
        ...o.accounts,
        restartContainer: (id, options) => this.#restart(id, options ?? {}),
      },
    });
    this.#ctx = ctx;
    this.#release = o.release;
  }

  async createContainer(id: ContainerId, spec: ServiceSpec, o?: t.CallOptions): Promise<void> {
    o?.signal?.throwIfAborted();
    await abandonable(createContainer(this.#ctx, id, spec), o?.signal);
  }

  async startContainer(id: ContainerId, o?: t.CallOptions): Promise<void> {
    o?.signal?.throwIfAborted();
    await abandonable(startContainer(this.#ctx, id), o?.signal);
  }

  async stopContainer(id: ContainerId, timeoutMs?: number, o?: t.CallOptions & { readonly stopSignal?: string | undefined }): Promise<void> {
    o?.signal?.throwIfAborted();
    await abandonable(stopContainer(this.#ctx, id, timeoutMs, o?.stopSignal), o?.signal);
  }

  async removeContainer(id: ContainerId, o?: t.CallOptions & { readonly keepAnonymousVolumes?: boolean | undefined }): Promise<void> {
    o?.signal?.throwIfAborted();
    await abandonable(removeContainer(this.#ctx, id, o?.keepAnonymousVolumes === true), o?.signal);
  }

  override async killContainer(id: ContainerId, signal?: string, o?: t.CallOptions & { readonly anySignal?: boolean | undefined }): Promise<void> {
    o?.signal?.throwIfAborted();
    await abandonable(killContainer(this.#ctx, id, signal, o?.anySignal === true), o?.signal);
  }

  override async renameContainer(id: ContainerId, newName: string, o?: t.CallOptions): Promise<void> {
    o?.signal?.throwIfAborted();
    await abandonable(renameContainer(this.#ctx, id, newName), o?.signal);
  }

  override async pauseContainer(id: ContainerId, o?: t.CallOptions): Promise<void> {
    o?.signal?.throwIfAborted();
    await abandonable(pauseContainer(this.#ctx, id), o?.signal);
  }

  override async unpauseContainer(id: ContainerId, o?: t.CallOptions): Promise<void> {
    o?.signal?.throwIfAborted();
    await abandonable(unpauseContainer(this.#ctx, id), o?.signal);
  }

  override async updateContainerResources(id: ContainerId, update: ContainerResourceUpdate, o?: t.CallOptions): Promise<ContainerUpdateOutcome> {
    o?.signal?.throwIfAborted();
    return abandonable(updateContainer(this.#ctx, id, update), o?.signal);
  }

  override async pruneContainers(o: Parameters<Runtime["pruneContainers"]>[0] = {}): Promise<t.ContainerPruneResult> {
    o.signal?.throwIfAborted();
    return pruneContainers(this.#ctx, o, o.signal);
  }

  override async topContainer(id: ContainerId, psArgs: readonly string[], o?: t.CallOptions): Promise<t.ContainerTopOutput> {
    o?.signal?.throwIfAborted();
    return topContainer(this.#ctx, id, psArgs, o?.signal);
  }

  override async syncContainerVolumes(id: ContainerId, o?: t.CallOptions): Promise<void> {
    o?.signal?.throwIfAborted();
    await syncContainerVolumes(this.#ctx, id, o?.signal);
  }

  async containerState(id: ContainerId, o?: t.CallOptions): Promise<t.ContainerState> {
    return stateOf(this.#ctx, this.#record(id, o));
  }

  override async inspectDetailed(id: ContainerId, o?: t.CallOptions): Promise<t.ContainerInspectDetails> {
    return inspectRecord(this.#ctx, this.#record(id, o));
  }

  override async listContainers(o?: t.CallOptions): Promise<readonly t.RuntimeContainerSummary[]> {
    o?.signal?.throwIfAborted();
    return this.#ctx.store.list().map((record) => summaryOf(this.#ctx, settle(this.#ctx, record)));
  }

  override async portMappingsContainer(id: ContainerId, o?: t.CallOptions): Promise<readonly t.PortMappingEntry[]> {
    return portsOf(this.#record(id, o));
  }

  async getContainerStats(id: ContainerId, o?: t.CallOptions): Promise<t.ContainerStats> {
    o?.signal?.throwIfAborted();
    return containerStats(this.#ctx, id);
  }

  override async statsStream(id: ContainerId, o?: t.CallOptions & { readonly intervalMs?: number | undefined }): Promise<AsyncIterable<t.StatsSample>> {
    const intervalMs = o?.intervalMs ?? 1000;
    if (!(intervalMs >= 100)) throw new BerthError("invalid_spec", `the stats interval is ${intervalMs} ms; the shortest is 100 ms`);
    this.#record(id, o);
    return guardedStream((stop) => statsStream(this.#ctx, id, intervalMs, stop), o?.signal);
  }

  async getContainerPid(id: ContainerId, o?: t.CallOptions): Promise<number | undefined> {
    const record = this.#record(id, o);
    return isRunning(record) ? record.run.pid : undefined;
  }

  async getContainerIp(id: ContainerId, o?: t.CallOptions): Promise<string | undefined> {
    const record = this.#record(id, o);
    const { networkMode } = record.facts.spec;
    if (networkMode.mode === "host") return "127.0.0.1";
    if (networkMode.mode === "container") {
      const other = findContainer(this.#ctx, networkMode.id);
      return other === undefined ? undefined : this.getContainerIp(other.facts.id, o);
    }
    return mainAddress(standingOf(this.#ctx, record));
  }

  override async getContainerPortOverride(id: ContainerId, o?: t.CallOptions): Promise<number | undefined> {
    return this.#record(id, o).facts.portOverride;
  }

  async containerLogs(id: ContainerId, tail: number, o?: t.CallOptions): Promise<readonly t.LogEntry[]> {
    assertTail(tail);
    return logEntriesFrom(await this.logsStream(id, { timestamps: true }, o), id, tail);
  }

  async getLogs(id: ContainerId, o?: t.CallOptions): Promise<readonly t.LogEntry[]> {
    return this.containerLogs(id, 0, o);
  }

  override async logsStream(id: ContainerId, opts: t.LogsStreamOptions, o?: t.CallOptions): Promise<AsyncIterable<t.LogChunk>> {
    if (opts.tail !== undefined) assertTail(opts.tail);
    const record = this.#record(id, o);
    const paths = pathsOf(this.#ctx, id);
    const source: LogSourceState = {
      isLive: () => {
        const now = this.#ctx.store.get(record.key);
        if (now === undefined || now.facts.createdAt !== record.facts.createdAt) return false;
        const settled = settle(this.#ctx, now);
        return isRunning(settled) || isRestartPending(settled);
      },
      onEnd: (notify) => this.#ctx.exits.listen(paths.ociId, notify),
    };
    return guardedStream((stop) => readLog(paths.log, opts, source, stop), o?.signal);
  }

  async waitContainer(id: ContainerId, o?: t.CallOptions): Promise<number> {
    return (await waitFor(this.#ctx, id, "not-running", o?.signal)).exitCode;
  }

  override async waitOutcome(id: ContainerId, o?: t.CallOptions): Promise<t.WaitOutcome> {
    return waitFor(this.#ctx, id, "not-running", o?.signal);
  }

  override async waitOutcomeWithCondition(id: ContainerId, condition: t.WaitCondition, o?: t.CallOptions): Promise<t.WaitOutcome> {
    return waitFor(this.#ctx, id, assertWaitCondition(condition), o?.signal);
  }

  async exec(id: ContainerId, cmd: readonly string[], o?: t.ExecCallOptions): Promise<t.ExecResult> {
    return exec(this.#ctx, id, cmd, o ?? {});
  }

  override async execStream(id: ContainerId, cmd: readonly string[], o?: t.ExecCallOptions): Promise<AsyncIterable<t.ExecEvent>> {
    return execStream(this.#ctx, id, cmd, o ?? {});
  }

  override async execPty(id: ContainerId, opts: t.ExecOptions, o?: t.CallOptions): Promise<t.ExecHandle> {
    return openExec(this.#ctx, id, opts, o?.signal);
  }

  pullImage(image: string, o?: PullOptions): Promise<void> {
    return this.pullImageWithPolicy(image, "if_not_present", undefined, o);
  }

  async pullImageWithPolicy(image: string, policy: PullPolicy, auth?: t.RegistryAuth, o?: PullOptions): Promise<void> {
    await pullImage(this.#ctx, image, policy, auth, o ?? {});
  }

  override async pullImageStream(image: string, auth?: t.RegistryAuth, o?: PullOptions): Promise<AsyncIterable<t.PullProgress>> {
    return pullProgress(this.#ctx, image, auth, o ?? {});
  }

  override async listImages(o?: t.CallOptions): Promise<readonly t.ImageInfo[]> {
    o?.signal?.throwIfAborted();
    return listImages(this.#ctx);
  }

  override async inspectImageNative(image: string, o?: t.CallOptions): Promise<t.ImageInspectInfo> {
    o?.signal?.throwIfAborted();
    return inspectImage(this.#ctx, image);
  }

  override async removeImage(image: string, force: boolean, o?: t.CallOptions): Promise<void> {
    o?.signal?.throwIfAborted();
    await abandonable(removeImage(this.#ctx, image, force), o?.signal);
  }

  override async pruneImages(
    o?: t.CallOptions & { readonly all?: boolean | undefined; readonly until?: Date | undefined; readonly labels?: readonly string[] | undefined },
  ): Promise<t.PruneResult> {
    o?.signal?.throwIfAborted();
    return abandonable(pruneImages(this.#ctx, o ?? {}), o?.signal);
  }

  override async tagImage(source: string, target: string, o?: t.CallOptions): Promise<void> {
    o?.signal?.throwIfAborted();
    tagImage(this.#ctx, source, target);
  }

  override async imageHistory(image: string, o?: t.CallOptions): Promise<readonly t.ImageHistoryEntry[]> {
    o?.signal?.throwIfAborted();
    return imageHistory(this.#ctx, image);
  }

  override async searchImages(
    term: string,
    limit: number,
    o?: t.CallOptions & { readonly isOfficial?: boolean | undefined; readonly minStars?: number | undefined },
  ): Promise<readonly t.ImageSearchResult[]> {
    o?.signal?.throwIfAborted();
    return searchImages(this.#ctx, term, limit, o ?? {});
  }

  override async saveImages(names: readonly string[], o?: t.CallOptions): Promise<t.ByteStream> {
    o?.signal?.throwIfAborted();
    return saveImages(this.#ctx, names, o?.signal);
  }

  override async loadImages(tar: t.ByteSource, quiet: boolean, o?: t.CallOptions): Promise<AsyncIterable<t.LoadProgress>> {
    o?.signal?.throwIfAborted();
    return loadImages(this.#ctx, tar, quiet, o?.signal);
  }

  override async importImage(tar: t.ByteSource, repo?: string, tag?: string, o?: ImportOptions): Promise<string> {
    o?.signal?.throwIfAborted();
    return abandonable(importImage(this.#ctx, tar, repo, tag, o ?? {}), o?.signal);
  }

  override async commitContainer(id: ContainerId, opts: t.CommitOptions, o?: t.CallOptions): Promise<t.CommitOutcome> {
    return abandonable(commitContainer(this.#ctx, id, opts, o ?? {}), o?.signal);
  }

  override async changesContainer(id: ContainerId, o?: t.CallOptions): Promise<readonly t.FilesystemChangeEntry[]> {
    return changesContainer(this.#ctx, id, o ?? {});
  }

  override async exportContainerFs(id: ContainerId, o?: t.CallOptions): Promise<t.ByteStream> {
    return exportContainerFs(this.#ctx, id, o ?? {});
  }

  override async archiveGet(id: ContainerId, path: string, o?: t.CallOptions): Promise<t.ByteStream> {
    return archiveGet(this.#ctx, id, path, o ?? {});
  }

  override async archivePut(id: ContainerId, path: string, tar: t.ByteSource, opts?: t.ArchivePutOptions, o?: t.CallOptions): Promise<void> {
    return archivePut(this.#ctx, id, path, tar, opts ?? {}, o ?? {});
  }

  override async archiveHead(id: ContainerId, path: string, o?: t.CallOptions): Promise<t.PathStat> {
    return archiveHead(this.#ctx, id, path, o ?? {});
  }

  override async close(): Promise<void> {
    await this.#release();
  }

  async #listDetailed(o: t.CallOptions | undefined): Promise<readonly DetailedContainer[]> {
    o?.signal?.throwIfAborted();
    return listDetailed(this.#ctx);
  }

  /** A running container is connected at once, another one by its next start, before its program runs. */
  async #attach(id: ContainerId, o: t.AttachOptions): Promise<t.AttachHandle> {
    const record = this.#record(id, o);
    const pending = openAttach(pathsOf(this.#ctx, id), record.name, o, this.#runState(record));
    try {
      if (isRunning(record)) await pending.connect();
      else this.#ctx.pendingAttaches.set(record.key, [...(this.#ctx.pendingAttaches.get(record.key) ?? []), pending]);
    } catch (error) {
      pending.handle.close();
      throw error;
    }
    this.#ctx.journal.recordContainer(record, "attach");
    return pending.handle;
  }

  #resize(id: ContainerId, rows: number, cols: number, o: t.CallOptions | undefined): void {
    const record = this.#record(id, o);
    if (!isRunning(record)) throw new BerthError("conflict", `container ${record.name} is not running`, { container: record.key });
    if (!record.facts.spec.tty) throw new BerthError("conflict", `container ${record.name} has no terminal; create it with tty`, { container: record.key });
    if (rows > 0 && cols > 0) resizeTerminal(pathsOf(this.#ctx, id).controlFifo, rows, cols);
  }

  async #restart(id: ContainerId, o: NonNullable<Parameters<NonNullable<RuntimeExtras["restartContainer"]>>[1]>): Promise<void> {
    await this.stopContainer(id, o.timeoutMs, { signal: o.signal, stopSignal: o.stopSignal });
    await this.startContainer(id, { signal: o.signal });
    this.#ctx.journal.recordContainer(this.#record(id, undefined), "restart");
  }

  /** The run that is going on, else the next one. */
  #runState(record: ContainerRecord): LogSourceState {
    const ctx = this.#ctx;
    return {
      isLive: () => {
        const now = ctx.store.get(record.key);
        return now !== undefined && !ctx.closed.aborted && now.facts.createdAt === record.facts.createdAt && settle(ctx, now).run.exits === record.run.exits;
      },
      onEnd: (notify) => ctx.exits.listen(pathsOf(ctx, record.facts.id).ociId, notify),
    };
  }

  #record(id: ContainerId, o: t.CallOptions | undefined): ContainerRecord {
    o?.signal?.throwIfAborted();
    return settle(this.#ctx, mustGet(this.#ctx, id));
  }
}
