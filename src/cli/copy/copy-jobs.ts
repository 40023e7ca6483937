/** What the command asks of its copy worker. Plain data: it crosses threads. */

export type CopyJob =
  /** Fills the ring with a tar of a file or directory of this host, under `name`. */
  | { readonly kind: "read"; readonly path: string; readonly name: string; readonly follow: boolean; readonly ring: SharedArrayBuffer }
  /** Extracts the tar in the ring below a directory of this host. */
  | {
      readonly kind: "write";
      readonly directory: string;
      readonly ring: SharedArrayBuffer;
      readonly rename?: { readonly base: string; readonly name: string } | undefined;
      readonly keepsOwners: boolean;
    };

export type CopyAnswer = { readonly ok: true; readonly bytes: number } | { readonly ok: false; readonly message: string };
