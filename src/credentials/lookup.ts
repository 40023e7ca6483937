/** Which credentials a registry is shown: the store's entry decides, without one docker's config.json (contract 4.5). */
import { BerthError } from "../errors.ts";
import type { CredentialStore } from "./credential-store.ts";

export interface Account {
  readonly username: string;
  readonly password: string;
  readonly authType?: "basic" | "token" | undefined;
}

/** Answers `undefined` for nobody. */
export type AccountSource = (registry: string) => Promise<Account | undefined>;

export function storedAccounts(store: CredentialStore, dockerConfig: AccountSource, env: Readonly<Record<string, string | undefined>>): AccountSource {
  return async (registry) => {
    const secret = store.secret(registry);
    switch (secret?.kind) {
      case undefined:
      case "docker_config":
        return dockerConfig(registry);
      case "anonymous":
        return undefined;
      case "basic":
        return { username: secret.username, password: secret.password, authType: secret.authType };
      case "env_var":
        return { username: variable(env, secret.username, registry), password: variable(env, secret.password, registry) };
    }
  };
}

function variable(env: Readonly<Record<string, string | undefined>>, name: string, registry: string): string {
  const value = env[name];
  if (value === undefined || value === "")
    throw new BerthError("configuration", `the credentials of ${registry} are in the variable ${name}, which is not set`);
  return value;
}
