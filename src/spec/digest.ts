import { createHash } from "node:crypto";
import { BerthError } from "../errors.ts";

declare const brand: unique symbol;

/** Digest of stored bytes, `algorithm:hex` (image-spec "Digests"). Only `sha256` and `sha512` are accepted. */
export type Digest = string & { readonly [brand]: "Digest" };

const hexLength: Readonly<Record<string, number>> = { sha256: 64, sha512: 128 };

/** The text as a {@link Digest}, or `undefined` when it is none. */
export function tryParseDigest(text: string): Digest | undefined {
  const colon = text.indexOf(":");
  const hex = text.slice(colon + 1);
  if (hexLength[text.slice(0, Math.max(colon, 0))] !== hex.length || !/^[0-9a-f]+$/.test(hex)) return undefined;
  return text as Digest;
}

/** Throws `invalid_spec` unless the algorithm is known and the hex has its length. */
export function parseDigest(text: string): Digest {
  const digest = tryParseDigest(text);
  if (digest === undefined) {
    throw new BerthError("invalid_spec", `${JSON.stringify(text)} is not a digest; expected sha256:<64 hex> or sha512:<128 hex>`);
  }
  return digest;
}

export function digestAlgorithm(digest: Digest): "sha256" | "sha512" {
  return digest.startsWith("sha512:") ? "sha512" : "sha256";
}

export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

export function sha256(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;
}

/** Digest of bytes by the algorithm of another digest, so that the two can be compared. */
export function digestLike(model: Digest, bytes: Uint8Array): Digest {
  const algorithm = digestAlgorithm(model);
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}` as Digest;
}
