import { BerthError, isBerthError } from "../../errors.ts";
import type { CredentialsFacet } from "../../runtime/extras.ts";
import type { Children } from "./children.ts";

/** Credentials are kept in every child that keeps any: whichever pulls must have them. Entries are those of the first one. */
export function compositeCredentials(children: Children): CredentialsFacet {
  const facets = (): CredentialsFacet[] => children.all.flatMap(({ runtime }) => runtime.extras?.credentials ?? []);
  const first = (): CredentialsFacet => {
    const [facet] = facets();
    if (facet === undefined) throw new BerthError("unsupported", "no backend of this composite keeps credentials");
    return facet;
  };
  return {
    store: async (registry, secret, o) => {
      const [entry, ...others] = facets();
      if (entry === undefined) return first().store(registry, secret, o);
      const stored = await entry.store(registry, secret, o);
      for (const other of others) await other.store(registry, secret, o);
      return stored;
    },
    list: async (o) => first().list(o),
    remove: async (idOrRegistry, o) => {
      const registry = (await first().list(o)).find(({ id }) => id === idOrRegistry)?.registry ?? idOrRegistry;
      await first().remove(registry, o);
      for (const other of facets().slice(1)) await other.remove(registry, o).catch(unlessMissing);
    },
  };
}

function unlessMissing(error: unknown): void {
  if (!isBerthError(error, "not_found")) throw error;
}
