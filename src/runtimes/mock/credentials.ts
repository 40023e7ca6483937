/** Accounts at registries, kept in memory, and the facet over them. */
import { randomUUID } from "node:crypto";
import { BerthError } from "../../errors.ts";
import type { CredentialEntry, CredentialSecret, CredentialsFacet } from "../../runtime/extras.ts";
import type { RegistryAuth } from "../../runtime/types.ts";
import { parseReference } from "../../spec/reference.ts";

export class MockCredentials {
  readonly #entries = new Map<string, { readonly entry: CredentialEntry; readonly secret: CredentialSecret }>();
  readonly #env: Readonly<Record<string, string | undefined>>;

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#env = env;
  }

  /** What a call without credentials of its own shows the registry of an image. */
  accountFor(image: string): RegistryAuth | undefined {
    const secret = this.#entries.get(parseReference(image).registry)?.secret;
    if (secret?.kind === "basic") return { username: secret.username, password: secret.password };
    if (secret?.kind !== "env_var") return undefined;
    return { username: this.#env[secret.username] ?? "", password: this.#env[secret.password] ?? "" };
  }

  facet(begin: (signal: AbortSignal | undefined) => void): CredentialsFacet {
    return {
      store: async (server, secret, o) => {
        begin(o?.signal);
        return this.#store(registryOf(server), secret);
      },
      list: async (o) => {
        begin(o?.signal);
        return [...this.#entries.values()].map(({ entry }) => entry);
      },
      remove: async (idOrRegistry, o) => {
        begin(o?.signal);
        const found = [...this.#entries].find(([registry, { entry }]) => registry === registryOf(idOrRegistry) || entry.id === idOrRegistry);
        if (found === undefined) throw new BerthError("not_found", `no credentials are stored for ${idOrRegistry}`, { container: idOrRegistry });
        this.#entries.delete(found[0]);
      },
    };
  }

  #store(registry: string, secret: CredentialSecret): CredentialEntry {
    if ("username" in secret && (secret.username === "" || secret.password === "")) {
      throw new BerthError("invalid_spec", "user name and password must not be empty");
    }
    const username = secret.kind === "basic" ? secret.username : undefined;
    const entry: CredentialEntry = { id: randomUUID(), registry, kind: secret.kind, username, createdAt: new Date() };
    this.#entries.set(registry, { entry, secret });
    return entry;
  }
}

export function registryOf(server: string): string {
  const host = server.replace(/^https?:\/\//, "").replace(/\/.*$/s, "");
  if (/[\s@]/.test(host)) throw new BerthError("invalid_spec", `${JSON.stringify(host)} is no registry; expected host[:port]`);
  return host === "" || host === "index.docker.io" || host === "registry-1.docker.io" ? "docker.io" : host;
}
