/** Everything that is not needed, at once: what `system prune` removes, in the order that lets the next step find more. */
import type { Runtime } from "../runtime/runtime.ts";
import type { CallOptions } from "../runtime/types.ts";

export interface PruneEverything extends CallOptions {
  /** Images that no container uses, too, not only those without a name. */
  readonly all?: boolean | undefined;
  /** Anonymous volumes, too. */
  readonly volumes?: boolean | undefined;
  /** Not of volumes, which have no age. */
  readonly until?: Date | undefined;
  readonly labels?: readonly string[] | undefined;
}

export interface PrunedEverything {
  readonly containers: readonly string[];
  readonly networks: readonly string[];
  readonly volumes: readonly string[];
  readonly images: readonly string[];
  /** Bytes. */
  readonly spaceReclaimed: number;
}

export async function pruneEverything(runtime: Runtime, o: PruneEverything = {}): Promise<PrunedEverything> {
  const { all, until, labels, signal } = o;
  const containers = await runtime.pruneContainers({ until, labels, signal });
  const networks = (await runtime.extras?.networks?.prune({ until, labels, signal })) ?? { deleted: [] };
  const volumes = (o.volumes ? await runtime.extras?.volumes?.prune({ labels, signal }) : undefined) ?? { deleted: [], spaceReclaimed: 0 };
  const images = await runtime.pruneImages({ all, until, labels, signal });
  return {
    containers: containers.deleted,
    networks: networks.deleted,
    volumes: volumes.deleted,
    images: images.deleted,
    spaceReclaimed: containers.spaceReclaimed + volumes.spaceReclaimed + images.spaceReclaimed,
  };
}
