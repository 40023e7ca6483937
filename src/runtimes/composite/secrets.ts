import { BerthError, isBerthError } from "../../errors.ts";
import type { SecretsFacet } from "../../runtime/extras.ts";
import type { Children } from "./children.ts";

/** Secrets are kept in every child that keeps any: whichever starts the container must have them. Listed are those of the first one. */
export function compositeSecrets(children: Children): SecretsFacet {
  const facets = (): readonly [SecretsFacet, ...SecretsFacet[]] => {
    const [first, ...others] = children.all.flatMap(({ runtime }) => runtime.extras?.secrets ?? []);
    if (first === undefined) throw new BerthError("unsupported", "no backend of this composite keeps secrets");
    return [first, ...others];
  };
  return {
    store: async (name, value, o) => {
      const [first, ...others] = facets();
      const stored = await first.store(name, value, o);
      for (const other of others) await other.store(name, value, o);
      return stored;
    },
    list: async (o) => facets()[0].list(o),
    remove: async (name, o) => {
      const [first, ...others] = facets();
      await first.remove(name, o);
      for (const other of others) {
        await other.remove(name, o).catch((error: unknown) => {
          if (!isBerthError(error, "not_found")) throw error;
        });
      }
    },
  };
}
