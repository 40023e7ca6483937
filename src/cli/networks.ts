import { BerthError } from "../errors.ts";
import type { NetworksFacet } from "../runtime/extras.ts";
import type { Runtime } from "../runtime/runtime.ts";

/** Throws `unsupported` where the backend has none. */
export function networksOf(runtime: Runtime): NetworksFacet {
  const { networks } = runtime.extras ?? {};
  if (networks === undefined) throw new BerthError("unsupported", `the ${runtime.backend} backend has no networks of its own`);
  return networks;
}
