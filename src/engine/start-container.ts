import { isBerthError } from "../errors.ts";
import type { LifecycleFacet, ObserveFacet } from "../runtime/runtime.ts";
import type { ContainerId } from "../spec/container-id.ts";

/** Starts; a container that was to go after its exit also goes when it could not even begin, as with Docker. */
export async function startOrDiscard(
  runtime: Pick<LifecycleFacet, "startContainer" | "removeContainer"> & Pick<ObserveFacet, "inspectDetailed">,
  id: ContainerId,
): Promise<void> {
  try {
    await runtime.startContainer(id);
  } catch (error) {
    if (isBerthError(error, "start_failed")) {
      const { spec } = await runtime.inspectDetailed(id);
      if (spec?.lifecycle?.deleteOnExit === true) await runtime.removeContainer(id);
    }
    throw error;
  }
}
