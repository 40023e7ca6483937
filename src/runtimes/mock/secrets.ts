/** Values for `$S:name`, kept in memory, and the facet over them. */
import { BerthError } from "../../errors.ts";
import type { SecretEntry, SecretsFacet } from "../../runtime/extras.ts";

export class MockSecrets {
  readonly #entries = new Map<string, { readonly entry: SecretEntry; readonly value: string }>();

  value(name: string): string | undefined {
    return this.#entries.get(name)?.value;
  }

  facet(begin: (signal: AbortSignal | undefined) => void): SecretsFacet {
    return {
      store: async (name, value, o) => {
        begin(o?.signal);
        if (!/^(@[\w.-]+\/)?[a-zA-Z0-9][\w.-]*$/.test(name)) throw new BerthError("invalid_spec", `invalid secret name ${JSON.stringify(name)}`);
        const entry: SecretEntry = { name, createdAt: new Date() };
        this.#entries.set(name, { entry, value });
        return entry;
      },
      list: async (o) => {
        begin(o?.signal);
        return [...this.#entries.values()].map(({ entry }) => entry).sort((a, b) => (a.name < b.name ? -1 : 1));
      },
      remove: async (name, o) => {
        begin(o?.signal);
        if (!this.#entries.delete(name)) throw new BerthError("not_found", `no such secret: ${name}`, { container: name });
      },
    };
  }
}
