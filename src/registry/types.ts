/** What the registry client offers to `images/` (contract method 2). */
import type { Descriptor } from "../spec/descriptor.ts";
import type { Digest } from "../spec/digest.ts";
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
  /** Sends content to the repository of a reference. `mountFrom`: repositories of the same registry that may have its blobs. */
  push(reference: Reference, o?: RegistryCallOptions & { readonly mountFrom?: readonly string[] | undefined }): RegistryPush;
  /** Asks the search of a registry (Docker's `/v1/search`). Throws `unsupported` where it has none, `network` when it cannot be reached. */
  search(registry: string, term: string, limit: number, o?: RegistryCallOptions): Promise<readonly RegistrySearchHit[]>;
  /** Whether a registry takes these credentials. Throws `network` when it cannot be reached, `pull_failed` when it answers otherwise. */
  checkLogin(registry: string, credentials: Credentials, o?: { readonly signal?: AbortSignal | undefined }): Promise<boolean>;
  /** From here on everybody is looked up anew: the credentials have changed. */
  forgetAccounts(): void;
  close(): void;
}

/** A blob to be sent. */
export interface UploadSource {
  readonly descriptor: Pick<Descriptor, "digest" | "size">;
  /** Its bytes from an offset on; may be asked for again after a failure. */
  read(from: number): AsyncIterable<Uint8Array>;
  onSent?(bytes: number): void;
}

/** What became of a blob: it was there, the registry took it from another repository, or it was sent. */
export type BlobOutcome = { readonly kind: "exists" } | { readonly kind: "mounted"; readonly from: string } | { readonly kind: "pushed" };

/** One push; throws `pull_failed` with the registry's words, as the other calls do. */
export interface RegistryPush {
  blob(source: UploadSource): Promise<BlobOutcome>;
  /** Under a tag or, without one, its digest. */
  manifest(bytes: Uint8Array, o: { readonly mediaType: string; readonly digest: Digest; readonly tag?: string | undefined }): Promise<void>;
}

export interface RegistrySearchHit {
  readonly name: string;
  readonly description: string;
  readonly starCount: number;
  readonly official: boolean;
  readonly automated: boolean;
}
