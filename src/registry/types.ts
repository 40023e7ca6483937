/** What the registry client offers to `images/` (contract method 2). */
import type { Descriptor } from "../spec/descriptor.ts";
import type { Reference } from "../spec/reference.ts";

/** Inline credentials; `token` carries a bearer or identity token in the password. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
  readonly authType?: "basic" | "token" | undefined;
}

export interface RegistryCallOptions {
  readonly auth?: Credentials | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RegistryClient {
  /** HEAD (or GET) of a tag: what it points at now. */
  resolve(reference: Reference, o?: RegistryCallOptions): Promise<Descriptor>;
  /** Manifest or index bytes of a tag or of `descriptor`, size limited and digest checked. */
  manifest(reference: Reference, descriptor: Descriptor | undefined, o?: RegistryCallOptions): Promise<{ descriptor: Descriptor; bytes: Uint8Array }>;
  /**
   * Bytes of a blob from `offset` on. Resumes by `Range` after network trouble, 429 and 5xx, at most 5 retries with
   * backoff; the caller checks digest and size.
   */
  blob(reference: Reference, descriptor: Descriptor, o?: RegistryCallOptions & { readonly offset?: number | undefined }): AsyncIterable<Uint8Array>;
  close(): void;
}
