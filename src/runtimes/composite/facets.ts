/** One facet of the extras, over the children that have it, the primary's first. */
import { BerthError, isBerthError } from "../../errors.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { Children } from "./children.ts";

export function facetsOf<F>(children: Children, pick: (runtime: Runtime) => F | undefined): readonly F[] {
  return children.all.flatMap(({ runtime }) => pick(runtime) ?? []);
}

export function firstWith<F>(facets: readonly F[]): F {
  const [facet] = facets;
  if (facet === undefined) throw new BerthError("unsupported", "no backend of the composite has this");
  return facet;
}

/** The first facet that knows the thing, told by asking; the first `not_found` when none does. */
export async function holderOf<F>(facets: readonly F[], ask: (facet: F) => Promise<unknown>): Promise<F> {
  let unknown: unknown;
  for (const facet of facets) {
    try {
      await ask(facet);
      return facet;
    } catch (error) {
      if (!isBerthError(error, "not_found")) throw error;
      unknown ??= error;
    }
  }
  throw unknown;
}
