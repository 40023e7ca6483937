/** Search, push and resolve of the mock, at the registry it pulls from. */
import { BerthError } from "../../errors.ts";
import type { ResolvedImage } from "../../runtime/extras.ts";
import type { ImageSearchResult, PullProgress, RegistryAuth } from "../../runtime/types.ts";
import { mediaTypes } from "../../spec/descriptor.ts";
import { digestHex } from "../../spec/digest.ts";
import { fromOciPlatform } from "../../spec/platform.ts";
import { canonicalReference, familiarName, parseReference, repositoryName } from "../../spec/reference.ts";
import type { ImageStore } from "./images.ts";
import type { MockRegistry } from "./registry.ts";

export function searchImages(
  registry: MockRegistry,
  term: string,
  limit: number,
  o: { readonly isOfficial?: boolean | undefined; readonly minStars?: number | undefined },
): readonly ImageSearchResult[] {
  const wanted = term.trim();
  if (wanted === "" || wanted.endsWith("/")) throw new BerthError("invalid_spec", "the search term is empty");
  if (!Number.isInteger(limit) || limit < 0) throw new BerthError("invalid_spec", `a search limit of ${limit} is no number of results`);
  if (!registry.isReachable) throw new BerthError("network", "cannot search: the registry cannot be reached");
  const slash = wanted.indexOf("/");
  const text = /[.:]/.test(wanted.slice(0, Math.max(slash, 0))) ? wanted.slice(slash + 1) : wanted;
  const names = new Set(registry.references().map((reference) => familiarName(repositoryName(parseReference(reference)))));
  const hits = [...names]
    .filter((name) => name.includes(text))
    .map((name) => ({ name, description: "", starCount: 0, official: !name.includes("/"), automated: false }));
  const kept = hits.filter((hit) => (o.isOfficial === undefined || hit.official === o.isOfficial) && hit.starCount >= (o.minStars ?? 0));
  return limit > 0 ? kept.slice(0, limit) : kept;
}

/** Everything that can be wrong with the name is found before the stream begins. */
export function pushImage(images: ImageStore, registry: MockRegistry, name: string): AsyncGenerator<PullProgress> {
  const reference = parseReference(name);
  if (reference.digest !== undefined) throw new BerthError("invalid_spec", `${name} names a digest; push a tag`);
  const canonical = canonicalReference(reference);
  const image = images.get(canonical);
  return (async function* push(): AsyncGenerator<PullProgress> {
    const repository = repositoryName(reference);
    yield { kind: "status", status: `The push refers to repository [${familiarName(repository)}]` };
    if (!registry.isReachable) throw new BerthError("network", `cannot push ${canonical}: the registry cannot be reached`, { image: canonical });
    for (const diffId of image.config.rootfs.diffIds) yield { kind: "status", id: digestHex(diffId).slice(0, 12), status: "Pushed" };
    registry.accept(canonical, image);
    image.repoDigests.add(`${repository}@${image.manifestDigest}`);
    images.tell("push", image, canonical);
    yield { kind: "status", status: `${reference.tag}: digest: ${image.manifestDigest} size: 500` };
    yield { kind: "done", reference: canonical, digest: image.manifestDigest };
  })();
}

export function resolveImage(registry: MockRegistry, name: string, auth: RegistryAuth | undefined): ResolvedImage {
  const published = registry.look(canonicalReference(parseReference(name)), auth);
  const descriptor = { mediaType: mediaTypes.ociManifest, digest: published.manifestDigest, size: 500 };
  return { descriptor, platforms: [fromOciPlatform(published.config)] };
}
