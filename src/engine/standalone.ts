import { randomBytes } from "node:crypto";
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
  runtime: Pick<LifecycleFacet, "createContainer" | "removeContainer" | "renameContainer"> & Pick<ObserveFacet, "listContainers">,
  spec: ServiceSpec,
  o: CallOptions & { readonly name?: string | undefined } = {},
): Promise<ContainerId> {
  if (o.name !== undefined) return createNamed(runtime, checkName(o.name), spec, o);
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

/** The id that goes with a name may belong to a container that has another name by now: then a random id takes the name. */
async function createNamed(runtime: Parameters<typeof createStandalone>[0], name: string, spec: ServiceSpec, o: CallOptions): Promise<ContainerId> {
  try {
    return await createAs(runtime, name, spec, o);
  } catch (error) {
    if (!isBerthError(error, "conflict")) throw error;
    const containers = await runtime.listContainers({ signal: o.signal });
    const hasOtherName = containers.some((found) => found.containerId && sameContainerId(found.containerId, standaloneId(name)) && found.name !== name);
    if (!hasOtherName || containers.some((found) => found.name === name)) throw error;
    const id = await createAs(runtime, randomBytes(16).toString("hex"), spec, o);
    try {
      await runtime.renameContainer(id, name, { signal: o.signal });
    } catch (failure) {
      await runtime.removeContainer(id);
      throw failure;
    }
    return id;
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
