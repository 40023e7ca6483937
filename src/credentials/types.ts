/** How an entry comes to its secret (contract 4.5). */
export type CredentialSecret =
  | { readonly kind: "basic"; readonly username: string; readonly password: string; readonly authType: "basic" | "token" }
  /** Nobody, whatever docker's config.json says. */
  | { readonly kind: "anonymous" }
  /** Docker's config.json, as without an entry. */
  | { readonly kind: "docker_config" }
  /** Names of environment variables of the engine. */
  | { readonly kind: "env_var"; readonly username: string; readonly password: string };

/** An entry without its secret. */
export interface StoredCredential {
  readonly id: string;
  /** Canonical host, as `docker.io` or `ghcr.io`. */
  readonly registry: string;
  readonly kind: CredentialSecret["kind"];
  readonly username?: string | undefined;
  readonly createdAt: Date;
}

/** A secret without its value. */
export interface StoredSecret {
  /** `name` or `@service/name`. */
  readonly name: string;
  readonly createdAt: Date;
}
