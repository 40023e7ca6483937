import { isBerthError } from "../errors.ts";
import type { LifecycleFacet, ObserveFacet } from "../runtime/runtime.ts";
import type { CallOptions } from "../runtime/types.ts";
import { type ContainerId, containerIdToString, sameContainerId, standaloneId } from "../spec/container-id.ts";
import type { ServiceSpec } from "../spec/service-spec.ts";
import { checkName, generateName } from "./names.ts";

const attempts = 8;

/**
 * Creates a container that belongs to no service. Without `name` it gets a free random one: the name is tried instead of
 * looked up, because several processes may create at once. Rejects as `createContainer` does; a taken `name` is `conflict`.
 */
export async function createStandalone(
  runtime: Pick<LifecycleFacet, "createContainer">,
  spec: ServiceSpec,
  o: CallOptions & { readonly name?: string | undefined } = {},
): Promise<ContainerId> {
  if (o.name !== undefined) return createAs(runtime, checkName(o.name), spec, o);
  const tried = new Set<string>();
  for (;;) {
    const name = generateName(tried);
    try {
      return await createAs(runtime, name, spec, o);
    } catch (error) {
      tried.add(name);
      if (!isBerthError(error, "conflict") || tried.size === attempts) throw error;
    }
  }
}

async function createAs(runtime: Pick<LifecycleFacet, "createContainer">, name: string, spec: ServiceSpec, o: CallOptions): Promise<ContainerId> {
  const id = standaloneId(name);
  await runtime.createContainer(id, spec, { signal: o.signal });
  return id;
}

/** The id people copy: 64 hex digits where the backend has them, else the string form. */
export async function publicId(runtime: Pick<ObserveFacet, "inspectDetailed" | "listContainers">, id: ContainerId): Promise<string> {
  const { hexId } = await runtime.inspectDetailed(id);
  if (hexId !== undefined) return hexId;
  const summary = (await runtime.listContainers()).find(({ containerId }) => containerId && sameContainerId(containerId, id));
  return summary?.hexId ?? containerIdToString(id);
}
