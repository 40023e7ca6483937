import { BerthError } from "../errors.ts";
import type { ObserveFacet } from "../runtime/runtime.ts";
import type { CallOptions, RuntimeContainerSummary } from "../runtime/types.ts";
import { type ContainerId, containerIdToString, parseContainerId, sameContainerId } from "../spec/container-id.ts";

/** A container that Berth made: it can be acted upon. */
export type ManagedContainer = RuntimeContainerSummary & { readonly containerId: ContainerId };

/**
 * Finds the container a person means (contract 1.1, "Resolution"): full hex id, unique hex prefix, name, `standalone-{name}`,
 * string form. Any unique prefix is accepted, as the docker command does; a name wins over a prefix shorter than 12 digits.
 * Throws `not_found` when nothing fits, `invalid_spec` when a prefix fits several.
 */
export async function resolveContainer(runtime: Pick<ObserveFacet, "listContainers">, ref: string, o?: CallOptions): Promise<ManagedContainer> {
  return findContainer(await runtime.listContainers(o), ref);
}

/** {@link resolveContainer} within a list at hand. */
export function findContainer(containers: readonly RuntimeContainerSummary[], ref: string): ManagedContainer {
  const managed = containers.filter(isManaged);
  const found =
    managed.find((container) => container.hexId === ref) ??
    (ref.length >= 12 ? byPrefix(managed, ref) : undefined) ??
    byName(managed, ref) ??
    byPrefix(managed, ref);
  if (found === undefined) throw new BerthError("not_found", `No such container: ${ref}`, { container: ref });
  return found;
}

export function isManaged(container: RuntimeContainerSummary): container is ManagedContainer {
  return container.containerId !== undefined;
}

function byName(containers: readonly ManagedContainer[], ref: string): ManagedContainer | undefined {
  const bare = ref.replace(/^\//, "");
  const id = parseContainerId(bare);
  return (
    containers.find((container) => container.name === bare) ??
    containers.find((container) => containerIdToString(container.containerId) === `standalone-${bare}-rep-0`) ??
    (id && containers.find((container) => sameContainerId(container.containerId, id)))
  );
}

function byPrefix(containers: readonly ManagedContainer[], ref: string): ManagedContainer | undefined {
  if (!/^[0-9a-f]{1,64}$/.test(ref)) return undefined;
  const [found, ...others] = containers.filter((container) => container.hexId?.startsWith(ref));
  if (others.length > 0) throw new BerthError("invalid_spec", `multiple containers have an id that starts with ${ref}; give more digits`);
  return found;
}
