/** One container of the mock: what it is, what it does, who waits for it. Legal moves are decided in `lifecycle.ts`. */
import { BerthError } from "../../errors.ts";
import { type KnownExit, outcomeFromExit } from "../../runtime/derive.ts";
import type { FineLimits } from "../../runtime/resource-update.ts";
import type { ContainerState, HealthDetail, PortMappingEntry, StatsSample, WaitCondition, WaitOutcome } from "../../runtime/types.ts";
import { type ContainerId, containerIdToString } from "../../spec/container-id.ts";
import type { CompleteSpec } from "../../spec/service-spec.ts";
import type { AttachHub } from "./attach.ts";
import type { Files } from "./file-tree.ts";
import type { MockVolume } from "./volumes.ts";
import type { StoredImage } from "./images.ts";
import type { ContainerLog } from "./log.ts";
import type { RunningProcess } from "./process.ts";

/** A run of the main process. */
export interface Run {
  readonly process: RunningProcess;
  readonly pid: number;
  readonly startedMonotonicMs: number;
  readonly execs: Set<RunningProcess>;
  readonly ports: readonly PortMappingEntry[];
  /** Resolves when the exit is recorded. */
  readonly recorded: Promise<void>;
}

export type Status = "created" | "running" | "exited" | "failed" | "removing";

interface Waiter {
  readonly condition: WaitCondition;
  readonly resolve: (outcome: WaitOutcome) => void;
}

export interface ContainerSetup {
  readonly id: ContainerId;
  readonly hexId: string;
  readonly name: string;
  readonly spec: CompleteSpec;
  readonly env: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
  readonly image: StoredImage;
  readonly createdAt: Date;
  readonly log: ContainerLog;
  readonly hub: AttachHub;
  readonly portOverride: number | undefined;
}

export class Container {
  readonly setup: ContainerSetup;
  readonly files: Files = new Map();
  /** Contents of its tmpfs mounts by target, while it runs. */
  readonly memory: Map<string, Files> = new Map();
  /** Anonymous volumes by target. */
  readonly volumes: Map<string, MockVolume> = new Map();
  name: string;
  /** As completed at create and changed by updates. */
  spec: CompleteSpec;
  fineLimits: FineLimits = {};
  status: Status = "created";
  paused = false;
  run: Run | undefined;
  exit: KnownExit | undefined;
  startedAt: Date | undefined;
  failure: string | undefined;
  starts = 0;
  stoppedByUser = false;
  /** Starts by the policy since the user's last one, when the next is due, and what it waited for the last time. */
  restarts = 0;
  restartAt: Date | undefined;
  restartDelayMs: number | undefined;
  health: HealthDetail | undefined;
  stats: Partial<StatsSample> = {};
  readonly #waiters = new Set<Waiter>();

  constructor(setup: ContainerSetup) {
    this.setup = setup;
    this.name = setup.name;
    this.spec = setup.spec;
  }

  get key(): string {
    return containerIdToString(this.setup.id);
  }

  get isRunning(): boolean {
    return this.run !== undefined;
  }

  /** Neither running nor about to be started again. */
  get isAtRest(): boolean {
    return this.run === undefined && this.restartAt === undefined;
  }

  get state(): ContainerState {
    if (this.restartAt !== undefined && this.status !== "removing") return { state: "initializing" };
    switch (this.status) {
      case "created":
        return { state: "pending" };
      case "running":
        return { state: "running" };
      case "exited":
        return { state: "exited", code: this.exit?.code ?? 0 };
      case "failed":
        return { state: "failed", reason: this.failure ?? "container is dead" };
      case "removing":
        return { state: "stopping" };
    }
    return this.status satisfies never;
  }

  /** The run, or `conflict` naming what was wanted. */
  mustRun(wanted: string): Run {
    if (this.run === undefined) throw new BerthError("conflict", `cannot ${wanted} ${this.key}: it is not running; start it first`);
    return this.run;
  }

  refuseRemoving(): void {
    if (this.status === "removing") throw new BerthError("conflict", `container ${this.key} is being removed`);
  }

  /** Registers at once; table in contract 2.4. */
  wait(condition: WaitCondition, signal: AbortSignal): Promise<WaitOutcome> {
    if (condition === "not-running" && this.isAtRest && this.status !== "removing") return Promise.resolve(this.outcome());
    return new Promise((resolve, reject) => {
      const onAbort = (): void => finish(() => reject(signal.reason));
      const waiter: Waiter = { condition, resolve: (outcome) => finish(() => resolve(outcome)) };
      const finish = (settle: () => void): void => {
        this.#waiters.delete(waiter);
        signal.removeEventListener("abort", onAbort);
        settle();
      };
      this.#waiters.add(waiter);
      signal.addEventListener("abort", onAbort, { once: true });
      if (signal.aborted) onAbort();
    });
  }

  outcome(): WaitOutcome {
    return this.exit === undefined ? { exitCode: 0, reason: "exited" } : outcomeFromExit(this.exit);
  }

  /** Wakes waiters after an exit, after a restart was given up, or, with `removed`, all of them. */
  wake(event: "exit" | "rest" | "removed"): void {
    for (const waiter of [...this.#waiters]) {
      const hears = event === "removed" || (event === "exit" ? waiter.condition !== "removed" : waiter.condition === "not-running");
      if (hears) waiter.resolve(this.outcome());
    }
  }
}
