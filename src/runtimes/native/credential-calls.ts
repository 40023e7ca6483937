/** The credentials and secrets facets, and the check of a login. */
import type { CredentialStore } from "../../credentials/credential-store.ts";
import type { SecretStore } from "../../credentials/secret-store.ts";
import { BerthError } from "../../errors.ts";
import { registryHost } from "../../registry/config.ts";
import type { RegistryClient } from "../../registry/types.ts";
import type { CredentialSecret, CredentialsFacet, RuntimeExtras, SecretsFacet } from "../../runtime/extras.ts";

export function credentialsFacet(store: CredentialStore, registry: Pick<RegistryClient, "forgetAccounts">): CredentialsFacet {
  return {
    store: async (server, secret, o) => {
      o?.signal?.throwIfAborted();
      const entry = await store.put(registryHost(server), checked(secret));
      registry.forgetAccounts();
      return entry;
    },
    list: async (o) => {
      o?.signal?.throwIfAborted();
      return store.list();
    },
    remove: async (idOrRegistry, o) => {
      o?.signal?.throwIfAborted();
      const isId = /^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(idOrRegistry);
      const name = isId ? idOrRegistry : registryHost(idOrRegistry);
      if (!(await store.remove(name))) throw new BerthError("not_found", `no credentials are stored for ${name}`, { container: name });
      registry.forgetAccounts();
    },
  };
}

export function secretsFacet(store: SecretStore): SecretsFacet {
  return {
    store: async (name, value, o) => {
      o?.signal?.throwIfAborted();
      return store.put(name, value);
    },
    list: async (o) => {
      o?.signal?.throwIfAborted();
      return store.list();
    },
    remove: async (name, o) => {
      o?.signal?.throwIfAborted();
      if (!(await store.remove(name))) throw new BerthError("not_found", `no such secret: ${name}`, { container: name });
    },
  };
}

export function checkLoginCall(registry: Pick<RegistryClient, "checkLogin">): NonNullable<RuntimeExtras["checkLogin"]> {
  return (server, auth, o) => {
    o?.signal?.throwIfAborted();
    return registry.checkLogin(registryHost(server), auth, o);
  };
}

function checked(secret: CredentialSecret) {
  if (secret.kind !== "basic" && secret.kind !== "env_var") return secret;
  if (secret.username === "" || secret.password === "") throw new BerthError("invalid_spec", "user name and password must not be empty");
  return secret.kind === "basic" ? { ...secret, authType: secret.authType ?? "basic" } : secret;
}
