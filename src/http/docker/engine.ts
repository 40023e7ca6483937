/** What the Docker routes stand on. `daemon/` builds it; tests hand in a mock backend. */
import type { ContainerLookup } from "../../engine/container-lookup.ts";
import type { ContainerCreateBody } from "../../docker-api/containers.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { ExecTable } from "../exec-table.ts";

/** Create bodies as they came: inspect shows them, and a few fields have no other home. */
export interface RequestStore {
  get(hexId: string): ContainerCreateBody | undefined;
  put(hexId: string, body: ContainerCreateBody): void;
  delete(hexId: string): void;
}

export interface EngineFacts {
  /** Stays the same over restarts. */
  readonly id: string;
  readonly root: string;
  readonly startedAt: Date;
  readonly isDebug: boolean;
}

export interface DockerEngine {
  readonly runtime: Runtime;
  readonly containers: ContainerLookup;
  readonly requests: RequestStore;
  readonly execs: ExecTable;
  readonly facts: EngineFacts;
  /** Aborts when the daemon stops: long answers end then. */
  readonly closing: AbortSignal;
}
