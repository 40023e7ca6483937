/** From what people write to an image of the store. */
import { BerthError } from "../errors.ts";
import { tryParseDigest } from "../spec/digest.ts";
import { type OciPlatform, platformMatches } from "../spec/platform.ts";
import { canonicalReference, parseReference, type Reference, repositoryName } from "../spec/reference.ts";
import type { Image, ImageRecords, NameRecord } from "./image-records.ts";
import { chainIds } from "./snapshot-store.ts";
import type { StoreParts } from "./store-parts.ts";

/** By reference, by id or by at least 12 digits of it. Throws `invalid_spec` for a malformed name or an ambiguous id. */
export function findImage(records: ImageRecords, nameOrId: string): Image | undefined {
  const id = tryParseDigest(nameOrId);
  if (id !== undefined) return records.get(id);
  const isHex = /^[0-9a-f]{12,64}$/.test(nameOrId);
  if (!isHex || nameOrId.length < 64) {
    const found = lookUpImage(records, parseReference(nameOrId), undefined);
    if (found !== undefined || !isHex) return found;
  }
  const [first, second] = records.byPrefix(nameOrId);
  if (second !== undefined) throw new BerthError("invalid_spec", `several image ids begin with ${nameOrId}; write more digits`, { image: nameOrId });
  return first === undefined ? undefined : records.get(first);
}

/** What a reference names; of several platforms under one digest the wanted one. */
export function lookUpImage(records: ImageRecords, reference: Reference, platform: OciPlatform | undefined): Image | undefined {
  if (reference.digest === undefined) {
    const named: NameRecord | undefined = records.byName(canonicalReference(reference));
    return named === undefined ? undefined : records.get(named.imageId);
  }
  const ids = records.byDigest(repositoryName(reference), reference.digest);
  const images = ids.map((id) => records.get(id)).filter((image) => image !== undefined);
  return images.find((image) => platform === undefined || platformMatches(platform, image.config)) ?? images[0];
}

/** The image when it is for that platform and all of its layers are there. */
export function usableImage(parts: Pick<StoreParts, "snapshots">, image: Image | undefined, platform: OciPlatform | undefined): Image | undefined {
  if (image === undefined || (platform !== undefined && !platformMatches(platform, image.config))) return undefined;
  return chainIds(image.config.rootfs.diffIds).every((chainId) => parts.snapshots.has(chainId)) ? image : undefined;
}
