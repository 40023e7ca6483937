/** Names of images as callers, engines and the contract write them. */
import { EngineError } from "../../docker-api/engine-error.ts";
import { BerthError } from "../../errors.ts";
import { canonicalReference, parseReference, type Reference } from "../../spec/reference.ts";

/** What an engine takes in a path: an id or a prefix as it is, a name in its canonical form. Throws `invalid_spec`. */
export function engineImageName(image: string): string {
  const name = image.trim();
  if (name === "") throw new BerthError("invalid_spec", "an image needs a name or an id");
  if (/^(?:sha256:)?[0-9a-f]{12,64}$/.test(name) || /^sha256:/.test(name)) return name;
  return canonicalReference(parseReference(name));
}

/** `busybox:latest` of an engine → `docker.io/library/busybox:latest`; what cannot be read stays. */
export function canonicalTag(tag: string): string {
  try {
    return canonicalReference(parseReference(tag));
  } catch {
    return tag;
  }
}

/** Podman leaves out the algorithm in places. */
export function imageDigest(id: string): string {
  return /^[0-9a-f]{64}$/.test(id) ? `sha256:${id}` : id;
}

/** `fromImage` and `tag` of a pull: a digest takes the tag's place. */
export function pullQuery(reference: Reference): { readonly fromImage: string; readonly tag: string } {
  return { fromImage: `${reference.registry}/${reference.path}`, tag: reference.digest ?? reference.tag ?? "latest" };
}

export function noSuchImage(image: string, cause: unknown): BerthError {
  return new BerthError("not_found", `no such image: ${image}; pull it first`, { container: image, image, cause });
}

/** An engine's refusal about an image: 404 names it as the caller wrote it, an ambiguous prefix is the caller's mistake. */
export function imageFailure(image: string, thrown: unknown): unknown {
  if (!(thrown instanceof EngineError)) return thrown;
  if (thrown.status === 404 || /no such image|image not known/i.test(thrown.engineMessage)) return noSuchImage(image, thrown);
  if (/ambiguous|multiple IDs/i.test(thrown.engineMessage)) return new BerthError("invalid_spec", thrown.engineMessage, { image, cause: thrown });
  return thrown;
}
