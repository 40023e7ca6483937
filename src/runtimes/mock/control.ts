/** What a test does to a mock runtime behind the caller's back (contract 3.3). */
import type { RuntimeMethod } from "../../runtime/capabilities.ts";
import type { RuntimeContainerSummary, StatsSample } from "../../runtime/types.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import { parseSignal } from "../../spec/signals.ts";
import type { Faults } from "./faults.ts";
import type { Channel, MockProgram, StartRefusal } from "./process.ts";
import type { MockImage, MockRegistry, PublishedImage } from "./registry.ts";
import type { World } from "./world.ts";

/** What a scripted command does: a function, or its output and exit code. */
export type Script =
  | MockProgram
  | { readonly exitCode?: number | undefined; readonly stdout?: string | undefined; readonly stderr?: string | undefined }
  | { readonly refuse: StartRefusal };

export class MockControl {
  readonly #world: World;
  readonly #faults: Faults;

  constructor(world: World, faults: Faults) {
    this.#world = world;
    this.#faults = faults;
  }

  /** What images are published to and pulled from. */
  get registry(): MockRegistry {
    return this.#world.registry;
  }

  /** Methods called on this runtime so far, in order. */
  get calls(): readonly RuntimeMethod[] {
    return this.#faults.calls;
  }

  /** The next call of a method rejects with `error` and does nothing. Several queue up. */
  failNext(method: RuntimeMethod, error: Error): void {
    this.#faults.add(method, { kind: "fail", error });
  }

  /** The next call of a method begins only after `ms`. */
  delayNext(method: RuntimeMethod, ms: number): void {
    this.#faults.add(method, { kind: "delay", ms });
  }

  /** The next stream of a method throws `error` after `items` items. */
  dropNextStream(method: RuntimeMethod, items: number, error: Error): void {
    this.#faults.add(method, { kind: "drop", items, error });
  }

  /** Ends the main process with a code, a signal or an OOM kill. Resolves when the exit is recorded. */
  async exit(id: ContainerId, end: { readonly code: number } | { readonly signal: string } | { readonly oomKilled: true }): Promise<void> {
    const run = this.#world.get(id).mustRun("end");
    if ("code" in end) run.process.end({ code: end.code, signal: null });
    else if ("oomKilled" in end) run.process.end({ code: 137, signal: 9, oomKilled: true });
    else run.process.end({ code: 128 + parseSignal(end.signal, { any: true }), signal: parseSignal(end.signal, { any: true }) });
    await run.recorded;
  }

  /** As if the main process wrote it. */
  appendLog(id: ContainerId, data: string | Uint8Array, channel: Channel = "stdout"): void {
    const { log, hub } = this.#world.get(id).setup;
    const bytes = Buffer.from(data);
    log.append(channel, bytes);
    hub.deliver(channel, bytes);
  }

  /** Overrides fields of the statistics from now on. */
  setStats(id: ContainerId, stats: Partial<StatsSample>): void {
    const container = this.#world.get(id);
    container.stats = { ...container.stats, ...stats };
  }

  /** What this exact argv does, as main process or exec, in every container. The last script for an argv wins. */
  script(argv: readonly string[], script: Script): void {
    this.#world.scripts.push({ argv, program: toProgram(script) });
  }

  /** Puts an image into the registry, ready to be pulled. */
  publishImage(reference: string, image: MockImage = {}): PublishedImage {
    return this.#world.registry.publish(reference, image);
  }

  /** Puts an image into the registry and the local store. */
  addImage(reference: string, image: MockImage = {}): void {
    const published = this.publishImage(reference, image);
    const { account } = image;
    this.#world.images.pull(published.reference, "always", account, { platform: undefined });
  }

  setRegistryReachable(reachable: boolean): void {
    this.#world.registry.setReachable(reachable);
  }

  /** How often a canonical reference was downloaded. */
  downloads(reference: string): number {
    return this.#world.registry.downloads.get(reference) ?? 0;
  }

  /** A container of somebody else, as it appears in `listContainers`. */
  addForeignContainer(summary: RuntimeContainerSummary): void {
    this.#world.foreign.push(summary);
  }

  /** Content of a file as processes of a running or stopped container left it, `undefined` when there is none. */
  file(id: ContainerId, path: string): Uint8Array | undefined {
    return this.#world.get(id).files.get(path);
  }
}

function toProgram(script: Script): MockProgram | StartRefusal {
  if (typeof script === "function") return script;
  if ("refuse" in script) return script.refuse;
  return async (process) => {
    if (script.stdout !== undefined) await process.write("stdout", script.stdout);
    if (script.stderr !== undefined) await process.write("stderr", script.stderr);
    return script.exitCode ?? 0;
  };
}
