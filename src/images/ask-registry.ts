/** What a registry says, without anything being stored: `resolveImage` and search. */
import { BerthError } from "../errors.ts";
import type { Credentials, RegistryClient, RegistrySearchHit } from "../registry/types.ts";
import type { Descriptor } from "../spec/descriptor.ts";
import { parseImageConfig } from "../spec/image-config.ts";
import { type ImageManifest, parseManifest } from "../spec/manifest.ts";
import type { OciPlatform } from "../spec/platform.ts";
import { isHost, type Reference } from "../spec/reference.ts";

const maxConfigBytes = 8 * 1024 * 1024;

/** What a reference names now, and for which platforms. Throws `pull_failed`. */
export async function resolveAtRegistry(
  registry: RegistryClient,
  reference: Reference,
  call: { readonly auth: Credentials | undefined; readonly signal: AbortSignal | undefined },
): Promise<{ readonly descriptor: Descriptor; readonly platforms: readonly OciPlatform[] }> {
  const { descriptor, bytes } = await registry.manifest(reference, undefined, call);
  const manifest = parseManifest(bytes, descriptor.mediaType);
  if (manifest.kind === "manifest") return { descriptor, platforms: [await platformOf(registry, reference, manifest, call)] };
  const platforms = manifest.manifests.flatMap(({ platform, annotations }) => {
    const isAttestation = annotations?.["vnd.docker.reference.type"] === "attestation-manifest" || platform?.os === "unknown";
    return platform === undefined || isAttestation ? [] : [platform];
  });
  return { descriptor, platforms };
}

async function platformOf(
  registry: RegistryClient,
  reference: Reference,
  manifest: ImageManifest,
  call: { readonly auth: Credentials | undefined; readonly signal: AbortSignal | undefined },
): Promise<OciPlatform> {
  if (manifest.config.size > maxConfigBytes) throw new BerthError("pull_failed", `an image config of ${manifest.config.size} bytes is too large`);
  const chunks = await Array.fromAsync(registry.blob(reference, manifest.config, call));
  const { os, architecture, variant, osVersion } = parseImageConfig(Buffer.concat(chunks));
  return { os, architecture, variant, osVersion };
}

/** `host/term` asks that registry, anything else Docker Hub. Throws `invalid_spec` for an empty term. */
export async function searchAtRegistry(
  registry: RegistryClient,
  term: string,
  o: { readonly limit: number; readonly isOfficial?: boolean | undefined; readonly minStars?: number | undefined; readonly signal?: AbortSignal | undefined },
): Promise<RegistrySearchHit[]> {
  const { host, rest } = splitTerm(term.trim());
  if (rest === "") throw new BerthError("invalid_spec", "the search term is empty");
  if (!Number.isInteger(o.limit) || o.limit < 0) throw new BerthError("invalid_spec", `a search limit of ${o.limit} is no number of results`);
  const hits = await registry.search(host, rest, o.limit, { signal: o.signal });
  const kept = hits.filter((hit) => (o.isOfficial === undefined || hit.official === o.isOfficial) && hit.starCount >= (o.minStars ?? 0));
  return o.limit > 0 ? kept.slice(0, o.limit) : kept;
}

function splitTerm(term: string): { readonly host: string; readonly rest: string } {
  const slash = term.indexOf("/");
  const first = slash < 0 ? "" : term.slice(0, slash);
  const isRegistry = (/[.:]/.test(first) || first === "localhost") && isHost(first);
  const isHub = !isRegistry || ["docker.io", "index.docker.io"].includes(first);
  // Hub finds its official images without the prefix only.
  return isRegistry
    ? { host: isHub ? "docker.io" : first, rest: term.slice(slash + 1).replace(isHub ? /^library\// : /^$/, "") }
    : { host: "docker.io", rest: term };
}
