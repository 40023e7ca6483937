/** Finds containers by what people and clients call them, without reading every record for each request. */
import type { ObserveFacet } from "../runtime/runtime.ts";
import type { CallOptions, RuntimeContainerSummary } from "../runtime/types.ts";
import type { ContainerId } from "../spec/container-id.ts";
import { resolveContainer } from "./resolve.ts";

const remembered = 10_000;

export interface FoundContainer {
  readonly id: ContainerId;
  /** 64 hex digits. */
  readonly hexId: string;
}

/**
 * Full hex ids are remembered: they are made from the container's id and so name the same container for ever. Whether it
 * still exists is for the call that follows to find out. Everything else, names above all, is looked up anew.
 */
export class ContainerLookup {
  readonly #runtime: Pick<ObserveFacet, "listContainers">;
  readonly #ids = new Map<string, ContainerId>();

  constructor(runtime: Pick<ObserveFacet, "listContainers">) {
    this.#runtime = runtime;
  }

  /** Rejects with `not_found` or, for a prefix of several ids, `invalid_spec`. */
  async find(ref: string, o?: CallOptions): Promise<FoundContainer> {
    const known = this.#ids.get(ref);
    if (known !== undefined) return { id: known, hexId: ref };
    const { containerId: id, hexId = "" } = await resolveContainer(this.#runtime, ref, o);
    this.remember(hexId, id);
    return { id, hexId };
  }

  remember(hexId: string, id: ContainerId): void {
    if (hexId === "") return;
    if (this.#ids.size >= remembered) this.#ids.clear();
    this.#ids.set(hexId, id);
  }

  async list(o?: CallOptions): Promise<readonly RuntimeContainerSummary[]> {
    return this.#runtime.listContainers(o);
  }
}
