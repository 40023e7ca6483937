import {
  applyUpdate,
  checkUpdate,
  isEmptyUpdate,
  obsoleteFields,
  swapTotal,
  type UpdateBounds,
  type ContainerResourceUpdate,
  type ContainerUpdateOutcome,
} from "../../runtime/resource-update.ts";
import type { Container } from "./container.ts";
import type { World } from "./world.ts";

/** A machine of one processor. */
const host: UpdateBounds = { cpus: new Set([0]), memoryNodes: new Set([0]), swapAccounting: true };

/** Method 41. */
export function updateContainer(world: World, container: Container, update: ContainerResourceUpdate): ContainerUpdateOutcome {
  if (isEmptyUpdate(update)) return { warnings: [] };
  container.refuseRemoving();
  checkUpdate(update, container.spec, host);
  const total = swapTotal(container.spec.resources, host);
  const changed = applyUpdate(container.spec, container.fineLimits, update, () => (total === undefined ? -1 : total));
  container.spec = changed.spec;
  container.fineLimits = changed.fine;
  world.journal.recordContainer(container, "update");
  return { warnings: obsoleteFields(update) };
}
