/**
 * Watches over the containers of a runtime: starts again what its policy wants, probes health. Any process may run one; of all
 * that share a backend's state one leads and the others wait to take over. It keeps no process alive: who wants that awaits `idle`.
 */
import { isBerthError, messageOf } from "../errors.ts";
import type { SupervisedContainer, SupervisionFacet } from "../runtime/extras.ts";
import type { ExecFacet, ObserveFacet } from "../runtime/runtime.ts";
import { type ContainerId, containerIdToString } from "../spec/container-id.ts";
import { nextHealth, probeDelayMs } from "./health.ts";

export interface SupervisorOptions {
  readonly runtime: Pick<ExecFacet, "exec"> & Pick<ObserveFacet, "getContainerIp" | "getContainerPortOverride" | "inspectDetailed">;
  readonly supervision: SupervisionFacet;
  /** This is the start of a daemon: `always` containers that the user stopped come back too (contract 4.2). */
  readonly isBoot?: boolean | undefined;
  readonly onWarning?: ((text: string) => void) | undefined;
}

/** What is being done for one run of one container. */
interface Watch {
  readonly key: string;
  readonly stop: AbortController;
}

export class Supervisor implements AsyncDisposable {
  readonly #o: SupervisorOptions;
  readonly #stop = new AbortController();
  readonly #watches = new Map<string, Watch>();
  readonly #working = new Set<Promise<void>>();
  readonly #leading: Promise<void>;
  #isLeading = false;
  #wakeIdle = (): void => {};

  constructor(o: SupervisorOptions) {
    this.#o = o;
    this.#leading = this.#lead().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) this.#warn("the supervisor ended", error);
    });
  }

  /** Whether this is the one that acts. */
  get isLeading(): boolean {
    return this.#isLeading;
  }

  /** Resolves once it leads and no container has needed it for `ms`. */
  async idle(ms: number): Promise<void> {
    for (let since = Date.now(); !this.#isLeading || this.#watches.size > 0 || Date.now() - since < ms; ) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wakeIdle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      if (!this.#isLeading || this.#watches.size > 0) since = Date.now();
    }
  }

  /** Ends what it is about, probes included, and lets the next one lead. Idempotent. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#leading;
    await Promise.all(this.#working);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #lead(): Promise<void> {
    const { signal } = this.#stop;
    await using _lead = await this.#o.supervision.lead({ signal });
    const ended = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => ended.resolve(), { once: true });
    if (signal.aborted) return;
    using _watching = this.#o.supervision.watch((ids) => this.#spawn(() => this.#refresh(ids)));
    this.#isLeading = true;
    for (const container of await this.#o.supervision.list()) this.#watchOver(container, this.#o.isBoot === true);
    this.#wakeIdle();
    await ended.promise;
    this.#isLeading = false;
    await Promise.all(this.#working);
  }

  async #refresh(ids: readonly ContainerId[]): Promise<void> {
    for (const id of ids) {
      if (this.#stop.signal.aborted) return;
      const container = await this.#o.supervision.get(id);
      if (container === undefined) this.#forget(containerIdToString(id));
      else this.#watchOver(container, false);
    }
  }

  #forget(key: string): void {
    this.#watches.get(key)?.stop.abort();
    this.#watches.delete(key);
    this.#wakeIdle();
  }

  /** What was begun for the same run in the same state goes on. */
  #watchOver(container: SupervisedContainer, isBoot: boolean): void {
    const name = containerIdToString(container.id);
    const { run, restartAt, health } = container;
    const needed = restartAt !== undefined ? `restart ${run} ${restartAt.getTime()}` : health !== undefined ? `health ${run}` : isBoot ? "boot" : "";
    const present = this.#watches.get(name);
    if (present?.key === needed) return;
    this.#forget(name);
    if (needed === "" || (needed === "boot" && !container.resumesAtBoot)) return;
    const watch: Watch = { key: needed, stop: new AbortController() };
    this.#watches.set(name, watch);
    const signal = AbortSignal.any([this.#stop.signal, watch.stop.signal]);
    this.#spawn(async () => {
      try {
        if (health !== undefined) await this.#probeAgainAndAgain(container.id, signal);
        else await this.#restart(container, needed === "boot", signal);
      } catch (error) {
        if (!signal.aborted && !isGone(error)) this.#warn(`watching over ${name}`, error);
      } finally {
        if (this.#watches.get(name) === watch) this.#forget(name);
      }
      // A restart that failed waits for the next one.
      if (!this.#stop.signal.aborted) await this.#refresh([container.id]);
    });
  }

  async #restart({ id, restartAt }: SupervisedContainer, resume: boolean, signal: AbortSignal): Promise<void> {
    await sleep((restartAt?.getTime() ?? 0) - Date.now(), signal);
    signal.throwIfAborted();
    // From here on it is not given up: a start is finished or undone.
    await this.#o.supervision.restart(id, { resume });
  }

  async #probeAgainAndAgain(id: ContainerId, signal: AbortSignal): Promise<void> {
    // Loads an HTTP client: only who has something to probe pays for it.
    const { probe } = await import("./probe.ts");
    for (;;) {
      const before = await this.#o.supervision.get(id);
      if (before?.health === undefined) return;
      const { plan, startedAt, last } = before.health;
      const now = new Date();
      const lastEnd = last.log?.at(-1)?.end ?? startedAt;
      // Whoever led before may have probed a moment ago.
      await sleep(probeDelayMs(plan, startedAt, last, now) - (now.getTime() - lastEnd.getTime()), signal);
      const current = await this.#o.supervision.get(id);
      if (current?.health === undefined || current.run !== before.run) return;
      if ((await this.#o.runtime.inspectDetailed(id)).paused === true) {
        await sleep(plan.intervalMs, signal);
        continue;
      }
      const outcome = await probe(this.#o.runtime, id, plan, signal);
      await this.#o.supervision.recordHealth(id, before.run, nextHealth(plan, startedAt, current.health.last, outcome));
    }
  }

  #spawn(work: () => Promise<void>): void {
    const working = work().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) this.#warn("supervising", error);
    });
    this.#working.add(working);
    void working.finally(() => this.#working.delete(working));
  }

  #warn(what: string, error: unknown): void {
    this.#o.onWarning?.(`${what}: ${messageOf(error)}`);
  }
}

function isGone(error: unknown): boolean {
  return isBerthError(error, "not_found") || isBerthError(error, "conflict") || isBerthError(error, "start_failed");
}

/** Does not keep the process alive. Rejects with the signal's reason. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (ms <= 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(
      () => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      },
      Math.min(ms, 2 ** 31 - 1),
    );
    timer.unref();
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
