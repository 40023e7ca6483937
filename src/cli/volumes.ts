import { UnsupportedError } from "../errors.ts";
import type { VolumesFacet } from "../runtime/extras.ts";
import type { Runtime } from "../runtime/runtime.ts";

/** The volumes of a backend that has them. */
export function volumesOf(runtime: Runtime): VolumesFacet {
  const { volumes } = runtime.extras ?? {};
  if (volumes === undefined) throw new UnsupportedError("volumes", runtime.backend, "it has no volumes of its own");
  return volumes;
}
