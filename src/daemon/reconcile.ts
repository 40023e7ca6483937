/** What the daemon does once before it answers anybody (contract 4.2): records and containers are brought together. */
import type { ContainerLookup } from "../engine/container-lookup.ts";
import { isManaged } from "../engine/resolve.ts";
import { messageOf } from "../errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { RuntimeContainerSummary } from "../runtime/types.ts";
import { shortId } from "../spec/container-id.ts";
import type { Logger } from "./log.ts";
import type { Records } from "./records.ts";

export interface Reconciled {
  /** Records whose container is there. */
  readonly matched: number;
  /** Records whose container is gone: deleted. */
  readonly pruned: number;
  /** Containers of ours that no record names: left alone. */
  readonly orphansSeen: number;
}

export interface Reconciling {
  readonly runtime: Pick<Runtime, "listContainers">;
  readonly records: Pick<Records, "ids" | "delete">;
  readonly containers: ContainerLookup;
  readonly log: Logger;
}

/** When the backend cannot be asked, nothing is pruned: what it does not tell may well be there. */
export async function reconcile({ runtime, records, containers, log }: Reconciling): Promise<Reconciled> {
  const known = records.ids();
  let found: readonly RuntimeContainerSummary[];
  try {
    found = await runtime.listContainers();
  } catch (error) {
    log.warn("the backend does not list its containers: nothing is reconciled", { error: messageOf(error), records: known.length });
    return { matched: 0, pruned: 0, orphansSeen: 0 };
  }
  const byHex = new Map(found.filter(isManaged).map((container) => [container.containerIdLabel ?? container.hexId ?? "", container]));
  let [matched, pruned] = [0, 0];
  for (const hexId of known) {
    const container = byHex.get(hexId);
    if (container === undefined) {
      records.delete(hexId);
      pruned++;
    } else {
      containers.remember(hexId, container.containerId);
      matched++;
    }
  }
  const orphans = [...byHex].filter(([hexId]) => !known.includes(hexId));
  for (const [hexId, { name, createdAt }] of orphans) {
    log.debug("a container was made without this daemon: it is left as it is", { id: shortId(hexId), name, created: createdAt?.toISOString() });
  }
  return { matched, pruned, orphansSeen: orphans.length };
}
