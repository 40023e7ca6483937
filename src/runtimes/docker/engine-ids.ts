/** Containers are addressed by the engine's id, found once by label and kept; never by name, so that renames are harmless. */
import type { ContainerSummary } from "../../docker-api/containers.ts";
import type { EngineClient } from "../../docker-api/engine-client.ts";
import { EngineError } from "../../docker-api/engine-error.ts";
import { encodeFilters } from "../../docker-api/filters.ts";
import { BerthError } from "../../errors.ts";
import { type ContainerId, containerIdToString, idLabel } from "../../spec/container-id.ts";
import type { CompleteSpec } from "../../spec/service-spec.ts";
import { stampOf } from "./labels.ts";
import { number, text } from "./read.ts";

export interface KnownContainer {
  readonly engineId: string;
  /** As completed at create; absent for a container that another tool labelled. */
  readonly spec?: CompleteSpec | undefined;
  readonly port?: number | undefined;
}

export class EngineIds {
  readonly #client: EngineClient;
  readonly #known = new Map<string, KnownContainer>();

  constructor(client: EngineClient) {
    this.#client = client;
  }

  /** Asks the engine, whatever is remembered. */
  async find(id: ContainerId, signal?: AbortSignal): Promise<KnownContainer | undefined> {
    const key = containerIdToString(id);
    const filters = encodeFilters({ label: [`${idLabel}=${key}`] });
    const found = await this.#client.list<ContainerSummary>("GET", "/containers/json", { query: { all: 1, filters }, signal });
    // Somebody may have copied our labels: the first one is ours.
    const [first] = [...found].sort((a, b) => (number(a.Created) ?? 0) - (number(b.Created) ?? 0));
    const engineId = text(first?.Id);
    if (engineId === undefined) {
      this.#known.delete(key);
      return undefined;
    }
    const { spec, port } = stampOf(first?.Labels);
    const known: KnownContainer = { engineId, spec, port };
    this.#known.set(key, known);
    return known;
  }

  remember(id: ContainerId, known: KnownContainer): void {
    this.#known.set(containerIdToString(id), known);
  }

  forget(id: ContainerId): void {
    this.#known.delete(containerIdToString(id));
  }

  /** Throws `not_found`. */
  async get(id: ContainerId, signal?: AbortSignal): Promise<KnownContainer> {
    const known = this.#known.get(containerIdToString(id)) ?? (await this.find(id, signal));
    if (known === undefined) throw noSuchContainer(id);
    return known;
  }

  /**
   * Does `call` with the container. When the engine knows no such container any more, another process may have removed and
   * created it anew: it is looked up once more. Throws `not_found` naming our id.
   */
  async use<T>(id: ContainerId, signal: AbortSignal | undefined, call: (container: KnownContainer) => Promise<T>): Promise<T> {
    const known = await this.get(id, signal);
    try {
      return await call(known);
    } catch (thrown) {
      if (!isNoSuchContainer(thrown)) throw thrown;
      const now = await this.find(id, signal);
      if (now === undefined) throw noSuchContainer(id, thrown);
      if (now.engineId === known.engineId) throw thrown;
      return await call(now);
    }
  }
}

/** 404 is also the answer for an unknown path, image or exec; Podman says 500 of a container that goes while it looks. */
export function isNoSuchContainer(thrown: unknown): thrown is EngineError {
  if (!(thrown instanceof EngineError)) return false;
  const { status, engineMessage } = thrown;
  return (
    (status === 404 && /no such container/i.test(engineMessage)) || (status === 500 && /does not exist in database: no such container/.test(engineMessage))
  );
}

export function noSuchContainer(id: ContainerId, cause?: unknown): BerthError {
  const container = containerIdToString(id);
  return new BerthError("not_found", `no container ${container} on this engine`, { container, cause });
}
