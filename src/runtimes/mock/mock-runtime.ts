/** The Runtime interface over a simulated world (contract 3.3, "mock"). */
import { BerthError } from "../../errors.ts";
import { abandonable, onAbort } from "../../internal/abort.ts";
import { BaseRuntime } from "../../runtime/base-runtime.ts";
import { capabilitiesExcept } from "../../runtime/capabilities.ts";
import type { RuntimeMethod } from "../../runtime/capabilities.ts";
import { assertTail, assertWaitCondition, logEntriesFrom } from "../../runtime/derive.ts";
import { collectExec, execEvents } from "../../runtime/exec-events.ts";
import { guardedStream } from "../../runtime/guarded-stream.ts";
import { matchesLabels } from "../../runtime/label-filter.ts";
import type { PullOptions, Runtime } from "../../runtime/runtime.ts";
import type * as t from "../../runtime/types.ts";
import { type ContainerId, containerIdLabel } from "../../spec/container-id.ts";
import { canonicalReference, parseReference } from "../../spec/reference.ts";
import type { PullPolicy, ServiceSpec } from "../../spec/service-spec.ts";
import { MockFiles } from "./archive.ts";
import { Change } from "./change.ts";
import { commitContainer } from "./commit.ts";
import { MockControl } from "./control.ts";
import type { Container } from "./container.ts";
import { diskUsage } from "./disk-usage.ts";
import { openExec } from "./exec-process.ts";
import { registryOf } from "./credentials.ts";
import { interactive, startExec, type StartedExec } from "./exec.ts";
import { dropped, type Fault, Faults } from "./faults.ts";
import { importArchive, loadArchive, saveArchive } from "./image-archives.ts";
import { pushImage, resolveImage, searchImages } from "./image-registry.ts";
import * as lifecycle from "./lifecycle.ts";
import { inspect, sample, snapshot, summarise } from "./observe.ts";
import { mockNetworksFacet } from "./network-calls.ts";
import { mockVolumesFacet } from "./volumes.ts";
import { top } from "./top.ts";
import { supervisionFacet } from "./supervision.ts";
import { updateContainer } from "./update.ts";
import type { World } from "./world.ts";
import type { ContainerResourceUpdate, ContainerUpdateOutcome } from "../../runtime/resource-update.ts";

const minStatsMs = 100;

export class MockRuntime extends BaseRuntime {
  readonly control: MockControl;
  readonly #world: World;
  readonly #faults = new Faults();
  readonly #closing = new AbortController();

  constructor(world: World) {
    const neutral = (["syncContainerVolumes"] as const).map((method) => [method, { support: "neutral" }] as const);
    super({
      backend: "mock",
      capabilities: capabilitiesExcept(Object.fromEntries(neutral)),
      extras: {
        attachContainer: async (id, o = {}) => {
          this.#checkOpen(o.signal);
          const container = this.#get(id);
          const { spec, setup } = container;
          world.journal.recordContainer(container, "attach");
          return setup.hub.attach(o.stdin === true && spec.stdinOpen, o.signal, o.logs === true ? setup.log.pieces() : []);
        },
        events: async (o = {}) => {
          this.#checkOpen(o.signal);
          return world.journal.follow(o, this.#closing.signal);
        },
        pushImage: async (image, _auth, o = {}) => {
          this.#checkOpen(o.signal);
          const push = pushImage(world.images, world.registry, image);
          return guardedStream(() => push, o.signal);
        },
        resolveImage: async (image, auth, o = {}) => {
          this.#checkOpen(o.signal);
          return resolveImage(world.registry, image, auth);
        },
        networks: mockNetworksFacet(world, (signal) => this.#checkOpen(signal)),
        credentials: world.credentials.facet((signal) => this.#checkOpen(signal)),
        secrets: world.secrets.facet((signal) => this.#checkOpen(signal)),
        checkLogin: async (server, auth, o) => {
          this.#checkOpen(o?.signal);
          return world.registry.takes(registryOf(server), auth);
        },
        diskUsage: async (o = {}) => {
          this.#checkOpen(o.signal);
          return diskUsage(world);
        },
        volumes: mockVolumesFacet(world.volumes, (signal) => this.#checkOpen(signal)),
        supervision: supervisionFacet(world),
        restartContainer: async (id, o = {}) => {
          await this.stopContainer(id, o.timeoutMs, { signal: o.signal, stopSignal: o.stopSignal });
          await this.startContainer(id, { signal: o.signal });
          world.journal.recordContainer(this.#get(id), "restart");
        },
        resizeContainer: async (id, rows, cols, o = {}) => {
          this.#checkOpen(o.signal);
          resizeTerminal(this.#get(id), rows, cols);
        },
        openExec: async (id, options, o = {}) => {
          this.#checkOpen(o.signal);
          return openExec(this.#world, this.#get(id), options, o.signal);
        },
        info: async () => ({ backend: "mock", version: "1", facts: { Containers: String(this.#world.containers.size) }, warnings: [] }),
      },
    });
    this.#world = world;
    this.control = new MockControl(world, this.#faults);
  }

  /** A second runtime on the same state, as another process would open it. */
  reopen(): MockRuntime {
    return new MockRuntime(this.#world);
  }

  override async close(): Promise<void> {
    this.#closing.abort(new BerthError("aborted", "the runtime was closed"));
  }

  pullImage(image: string, o: PullOptions = {}): Promise<void> {
    return this.#call("pullImage", o.signal, async () => void this.#world.images.pull(image, "if_not_present", undefined, o));
  }

  pullImageWithPolicy(image: string, policy: PullPolicy, auth?: t.RegistryAuth, o: PullOptions = {}): Promise<void> {
    return this.#call("pullImageWithPolicy", o.signal, async () => void this.#world.images.pull(image, policy, auth, o));
  }

  override pullImageStream(image: string, auth?: t.RegistryAuth, o: PullOptions = {}): Promise<AsyncIterable<t.PullProgress>> {
    return this.#stream("pullImageStream", o.signal, async () => {
      canonicalReference(parseReference(image));
      return () => this.#world.images.pullStream(image, auth, o);
    });
  }

  createContainer(id: ContainerId, spec: ServiceSpec, o: t.CallOptions = {}): Promise<void> {
    return this.#call("createContainer", o.signal, async () => lifecycle.createContainer(this.#world, id, spec));
  }

  startContainer(id: ContainerId, o: t.CallOptions = {}): Promise<void> {
    return this.#locked("startContainer", id, o, async (container) => lifecycle.startContainer(this.#world, container));
  }

  stopContainer(id: ContainerId, timeoutMs?: number, o: t.CallOptions & { readonly stopSignal?: string | undefined } = {}): Promise<void> {
    return this.#call("stopContainer", o.signal, () => lifecycle.stopContainer(this.#world, this.#get(id), timeoutMs, o.stopSignal));
  }

  override killContainer(id: ContainerId, signal = "SIGKILL", o: t.CallOptions & { readonly anySignal?: boolean | undefined } = {}): Promise<void> {
    return this.#call("killContainer", o.signal, () => lifecycle.killContainer(this.#world, this.#get(id), signal, o.anySignal));
  }

  removeContainer(id: ContainerId, o: t.CallOptions & { readonly keepAnonymousVolumes?: boolean | undefined } = {}): Promise<void> {
    return this.#call("removeContainer", o.signal, async () => {
      const container = this.#get(id);
      container.refuseRemoving();
      await lifecycle.removeContainer(this.#world, container, o.keepAnonymousVolumes);
    });
  }

  override renameContainer(id: ContainerId, newName: string, o: t.CallOptions = {}): Promise<void> {
    return this.#locked("renameContainer", id, o, async (container) => lifecycle.renameContainer(this.#world, container, newName));
  }

  override pauseContainer(id: ContainerId, o: t.CallOptions = {}): Promise<void> {
    return this.#locked("pauseContainer", id, o, async (container) => lifecycle.pauseContainer(this.#world, container));
  }

  override unpauseContainer(id: ContainerId, o: t.CallOptions = {}): Promise<void> {
    return this.#locked("unpauseContainer", id, o, async (container) => lifecycle.unpauseContainer(this.#world, container));
  }

  override updateContainerResources(id: ContainerId, update: ContainerResourceUpdate, o: t.CallOptions = {}): Promise<ContainerUpdateOutcome> {
    return this.#locked("updateContainerResources", id, o, async (container) => updateContainer(this.#world, container, update));
  }

  override pruneContainers(o: Parameters<Runtime["pruneContainers"]>[0] = {}): Promise<t.ContainerPruneResult> {
    return this.#call("pruneContainers", o.signal, async () => {
      const { until, labels = [] } = o;
      const stopped = [...this.#world.containers.values()].filter((container) => !container.isRunning && !this.#world.locks.isBusy(container.key));
      const chosen = stopped.filter((container) => (until === undefined || container.setup.createdAt < until) && matchesLabels(container.spec.labels, labels));
      for (const container of chosen) await lifecycle.removeContainer(this.#world, container);
      return { deleted: chosen.map(({ setup }) => setup.spec.labels[containerIdLabel] ?? setup.hexId), spaceReclaimed: total(chosen.map(sizeOf)) };
    });
  }

  override syncContainerVolumes(id: ContainerId, o: t.CallOptions = {}): Promise<void> {
    return this.#call("syncContainerVolumes", o.signal, async () => void this.#get(id));
  }

  containerState(id: ContainerId, o: t.CallOptions = {}): Promise<t.ContainerState> {
    return this.#call("containerState", o.signal, async () => this.#get(id).state);
  }

  override inspectDetailed(id: ContainerId, o: t.CallOptions = {}): Promise<t.ContainerInspectDetails> {
    return this.#call("inspectDetailed", o.signal, async () => inspect(this.#world, this.#get(id)));
  }

  override listContainers(o: t.CallOptions = {}): Promise<readonly t.RuntimeContainerSummary[]> {
    return this.#call("listContainers", o.signal, async () => [...[...this.#world.containers.values()].map(summarise), ...this.#world.foreign]);
  }

  override topContainer(id: ContainerId, psArgs: readonly string[], o: t.CallOptions = {}): Promise<t.ContainerTopOutput> {
    return this.#call("topContainer", o.signal, async () => top(this.#world, this.#get(id), psArgs));
  }

  override portMappingsContainer(id: ContainerId, o: t.CallOptions = {}): Promise<readonly t.PortMappingEntry[]> {
    return this.#call("portMappingsContainer", o.signal, async () => this.#get(id).run?.ports ?? []);
  }

  getContainerStats(id: ContainerId, o: t.CallOptions = {}): Promise<t.ContainerStats> {
    return this.#call("getContainerStats", o.signal, async () => snapshot(this.#world, this.#get(id)));
  }

  override statsStream(id: ContainerId, o: t.CallOptions & { readonly intervalMs?: number | undefined } = {}): Promise<AsyncIterable<t.StatsSample>> {
    return this.#stream("statsStream", o.signal, async () => {
      const intervalMs = Math.max(minStatsMs, o.intervalMs ?? 1000);
      const container = this.#get(id);
      return (stop) => this.#samples(container, intervalMs, stop);
    });
  }

  getContainerPid(id: ContainerId, o: t.CallOptions = {}): Promise<number | undefined> {
    return this.#call("getContainerPid", o.signal, async () => this.#get(id).run?.pid);
  }

  getContainerIp(id: ContainerId, o: t.CallOptions = {}): Promise<string | undefined> {
    return this.#call("getContainerIp", o.signal, async () => lifecycle.addressOf(this.#world, this.#get(id)));
  }

  override getContainerPortOverride(id: ContainerId, o: t.CallOptions = {}): Promise<number | undefined> {
    return this.#call("getContainerPortOverride", o.signal, async () => {
      return this.#get(id).setup.portOverride;
    });
  }

  containerLogs(id: ContainerId, tail: number, o: t.CallOptions = {}): Promise<readonly t.LogEntry[]> {
    return this.#call("containerLogs", o.signal, () => this.#logEntries(id, tail));
  }

  getLogs(id: ContainerId, o: t.CallOptions = {}): Promise<readonly t.LogEntry[]> {
    return this.#call("getLogs", o.signal, () => this.#logEntries(id, 0));
  }

  override logsStream(id: ContainerId, opts: t.LogsStreamOptions, o: t.CallOptions = {}): Promise<AsyncIterable<t.LogChunk>> {
    return this.#stream("logsStream", o.signal, async () => {
      const container = this.#get(id);
      if (opts.tail !== undefined) assertTail(opts.tail);
      const isLive = (): boolean => this.#world.containers.get(container.key) === container && !container.isAtRest;
      return (stop) => container.setup.log.read(container.isAtRest ? { ...opts, follow: false } : opts, isLive, stop);
    });
  }

  // The waits register before their first suspension, so nothing may be awaited on the way.
  waitContainer(id: ContainerId, o: t.CallOptions = {}): Promise<number> {
    return this.#call("waitContainer", o.signal, async () => (await this.#wait(id, "not-running", o)).exitCode);
  }

  override waitOutcome(id: ContainerId, o: t.CallOptions = {}): Promise<t.WaitOutcome> {
    return this.#call("waitOutcome", o.signal, () => this.#wait(id, "not-running", o));
  }

  override waitOutcomeWithCondition(id: ContainerId, condition: t.WaitCondition, o: t.CallOptions = {}): Promise<t.WaitOutcome> {
    return this.#call("waitOutcomeWithCondition", o.signal, async () => await this.#wait(id, assertWaitCondition(condition), o));
  }

  exec(id: ContainerId, cmd: readonly string[], o: t.ExecCallOptions = {}): Promise<t.ExecResult> {
    return this.#call("exec", o.signal, async () => {
      const started = this.#exec(id, { ...o, command: cmd }, "wait", o.signal);
      return await collectExec(started);
    });
  }

  override execStream(id: ContainerId, cmd: readonly string[], o: t.ExecCallOptions = {}): Promise<AsyncIterable<t.ExecEvent>> {
    return this.#stream("execStream", o.signal, async () => {
      const started = this.#exec(id, { ...o, command: cmd }, "wait", o.signal);
      return (stop) => generatorOf(execEvents(started, { abandon: () => started.process.signal(9), signal: stop }));
    });
  }

  override execPty(id: ContainerId, opts: t.ExecOptions, o: t.CallOptions = {}): Promise<t.ExecHandle> {
    return this.#call("execPty", o.signal, async () => {
      const started = startExec(this.#world, this.#get(id), opts, "keep");
      killOnAbort(started, o.signal);
      return interactive(started, opts);
    });
  }

  override listImages(o: t.CallOptions = {}): Promise<readonly t.ImageInfo[]> {
    return this.#call("listImages", o.signal, async () => this.#world.images.list());
  }

  override removeImage(image: string, force: boolean, o: t.CallOptions = {}): Promise<void> {
    return this.#call("removeImage", o.signal, async () => this.#world.images.remove(image, force));
  }

  override pruneImages(o: Parameters<Runtime["pruneImages"]>[0] = {}): Promise<t.PruneResult> {
    return this.#call("pruneImages", o.signal, async () => this.#world.images.prune(o));
  }

  override tagImage(source: string, target: string, o: t.CallOptions = {}): Promise<void> {
    return this.#call("tagImage", o.signal, async () => this.#world.images.tag(source, target));
  }

  override inspectImageNative(image: string, o: t.CallOptions = {}): Promise<t.ImageInspectInfo> {
    return this.#call("inspectImageNative", o.signal, async () => this.#world.images.inspect(image));
  }

  override imageHistory(image: string, o: t.CallOptions = {}): Promise<readonly t.ImageHistoryEntry[]> {
    return this.#call("imageHistory", o.signal, async () => this.#world.images.history(image));
  }

  override archiveGet(id: ContainerId, path: string, o: t.CallOptions = {}): Promise<t.ByteStream> {
    return this.#stream("archiveGet", o.signal, async () => {
      const [container, files] = this.#files(id);
      files.stat(path);
      this.#world.journal.recordContainer(container, "archive-path");
      return () => files.archive(path);
    });
  }

  override archivePut(id: ContainerId, path: string, tar: t.ByteSource, opts: t.ArchivePutOptions = {}, o: t.CallOptions = {}): Promise<void> {
    return this.#call("archivePut", o.signal, async () => {
      const [container, files] = this.#files(id);
      await files.put(path, tar, opts, o.signal);
      this.#world.journal.recordContainer(container, "extract-to-dir");
    });
  }

  override archiveHead(id: ContainerId, path: string, o: t.CallOptions = {}): Promise<t.PathStat> {
    return this.#call("archiveHead", o.signal, async () => this.#files(id)[1].stat(path));
  }

  override exportContainerFs(id: ContainerId, o: t.CallOptions = {}): Promise<t.ByteStream> {
    return this.#stream("exportContainerFs", o.signal, async () => {
      const [container, files] = this.#files(id);
      this.#world.journal.recordContainer(container, "export");
      return () => files.exported();
    });
  }

  override changesContainer(id: ContainerId, o: t.CallOptions = {}): Promise<readonly t.FilesystemChangeEntry[]> {
    return this.#call("changesContainer", o.signal, async () => this.#files(id)[1].changes());
  }

  override commitContainer(id: ContainerId, opts: t.CommitOptions, o: t.CallOptions = {}): Promise<t.CommitOutcome> {
    return this.#locked("commitContainer", id, o, async (container) => commitContainer(this.#world, container, opts));
  }

  #files(id: ContainerId): readonly [Container, MockFiles] {
    const container = this.#get(id);
    container.refuseRemoving();
    return [container, new MockFiles(this.#world, container)];
  }

  override searchImages(term: string, limit: number, o: Parameters<Runtime["searchImages"]>[2] = {}): Promise<readonly t.ImageSearchResult[]> {
    return this.#call("searchImages", o.signal, async () => searchImages(this.#world.registry, term, limit, o));
  }

  override saveImages(names: readonly string[], o: t.CallOptions = {}): Promise<t.ByteStream> {
    return this.#stream("saveImages", o.signal, async () => {
      const archive = saveArchive(this.#world.images, names);
      return () => archive;
    });
  }

  override loadImages(tar: t.ByteSource, quiet: boolean, o: t.CallOptions = {}): Promise<AsyncIterable<t.LoadProgress>> {
    return this.#stream("loadImages", o.signal, async () => () => loadArchive(this.#world.images, tar, quiet));
  }

  override importImage(tar: t.ByteSource, repo?: string, tag?: string, o: Parameters<Runtime["importImage"]>[3] = {}): Promise<string> {
    return this.#call("importImage", o.signal, async () => importArchive(this.#world.images, tar, repo, tag, o));
  }

  #get(id: ContainerId): Container {
    return this.#world.get(id);
  }

  #exec(id: ContainerId, o: t.ExecOptions, mode: "keep" | "wait", signal: AbortSignal | undefined): StartedExec {
    const started = startExec(this.#world, this.#get(id), o, mode);
    started.process.stdin.end();
    killOnAbort(started, signal);
    return started;
  }

  #wait(id: ContainerId, condition: t.WaitCondition, o: t.CallOptions): Promise<t.WaitOutcome> {
    const signals = [this.#closing.signal, ...(o.signal === undefined ? [] : [o.signal])];
    return this.#get(id).wait(condition, AbortSignal.any(signals));
  }

  async #logEntries(id: ContainerId, tail: number): Promise<readonly t.LogEntry[]> {
    assertTail(tail);
    const { log } = this.#get(id).setup;
    const chunks = log.read({ timestamps: true }, () => false, this.#closing.signal);
    return await logEntriesFrom(chunks, id, tail);
  }

  async *#samples(container: Container, intervalMs: number, stop: AbortSignal): AsyncGenerator<t.StatsSample> {
    const { run } = container;
    yield sample(this.#world, container);
    const tick = new Change();
    const ended = run?.recorded ?? Promise.resolve();
    while (run !== undefined && container.run === run) {
      using _timer = this.#world.clock.after(intervalMs, () => tick.happened());
      await tick.wait(stop, ended);
      if (container.run === run) yield sample(this.#world, container);
    }
  }

  #locked<T>(method: RuntimeMethod, id: ContainerId, o: t.CallOptions, work: (container: Container) => Promise<T>): Promise<T> {
    return this.#call(method, o.signal, async () => {
      const container = this.#get(id);
      return await this.#world.locks.run(container.key, () => work(container));
    });
  }

  /** Work that has begun goes on to its end; the caller is let go by an abort. */
  #call<T>(method: RuntimeMethod, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const fault = this.#faults.take(method);
    const refusal = this.#refusal(signal, fault);
    if (refusal !== undefined) return Promise.reject(refusal);
    const begun = (async () => {
      if (fault?.kind === "delay") await this.#later(fault.ms, signal);
      return await work();
    })();
    return abandonable(begun, signal);
  }

  async #stream<T>(
    method: RuntimeMethod,
    signal: AbortSignal | undefined,
    prepare: () => Promise<(stop: AbortSignal) => AsyncGenerator<T>>,
  ): Promise<AsyncIterable<T>> {
    const fault = this.#faults.take(method);
    const refusal = this.#refusal(signal, fault);
    if (refusal !== undefined) throw refusal;
    if (fault?.kind === "delay") await this.#later(fault.ms, signal);
    const make = await prepare();
    const broken = fault?.kind === "drop" ? (stop: AbortSignal) => dropped(make(stop), fault.items, fault.error) : make;
    return guardedStream(broken, signal);
  }

  #refusal(signal: AbortSignal | undefined, fault: Fault | undefined): unknown {
    if (this.#closing.signal.aborted) return this.#closing.signal.reason;
    if (signal?.aborted === true) return signal.reason;
    return fault?.kind === "fail" ? fault.error : undefined;
  }

  #checkOpen(signal: AbortSignal | undefined): void {
    this.#closing.signal.throwIfAborted();
    signal?.throwIfAborted();
  }

  #later(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#world.clock.after(ms, resolve);
    signal?.addEventListener("abort", () => timer[Symbol.dispose](), { once: true });
    return promise;
  }
}

function resizeTerminal(container: Container, rows: number, cols: number): void {
  const { process } = container.mustRun("resize the terminal of");
  if (!container.spec.tty) throw new BerthError("conflict", `container ${container.key} has no terminal; create it with tty`);
  process.resize(rows, cols);
}

function killOnAbort(started: StartedExec, signal: AbortSignal | undefined): void {
  const listening = onAbort(signal, () => started.process.signal(9));
  void started.exit.finally(() => listening[Symbol.dispose]());
}

async function* generatorOf<T>(source: AsyncIterableIterator<T>): AsyncGenerator<T> {
  yield* source;
}

function sizeOf({ files, setup }: Container): number {
  return total([...files.values()].map((content) => content.length)) + setup.log.sizeBytes;
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
