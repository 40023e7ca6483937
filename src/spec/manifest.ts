import { BerthError } from "../errors.ts";
import { type Descriptor, isRecord, mediaTypes, parseDescriptor, stringMap } from "./descriptor.ts";
import { parseJson } from "./image-config.ts";
import { type OciPlatform, platformRank, platformToString } from "./platform.ts";

/** One image or artifact: OCI image manifest or Docker schema 2 manifest (image-spec manifest.md). */
export interface ImageManifest {
  readonly kind: "manifest";
  /** As declared by the document, else by whoever delivered it. */
  readonly mediaType: string;
  readonly config: Descriptor;
  /** Base first. */
  readonly layers: readonly Descriptor[];
  readonly artifactType?: string | undefined;
  readonly subject?: Descriptor | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** Manifests by platform: OCI image index or Docker manifest list (image-spec image-index.md). */
export interface ImageIndex {
  readonly kind: "index";
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
  readonly artifactType?: string | undefined;
  readonly subject?: Descriptor | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

export type Manifest = ImageManifest | ImageIndex;
type Json = Readonly<Record<string, unknown>>;

/** Media types a puller accepts, best first. */
export const acceptedManifestTypes: readonly string[] = [mediaTypes.ociIndex, mediaTypes.ociManifest, mediaTypes.dockerManifestList, mediaTypes.dockerManifest];

/** No honest manifest is larger; distribution-spec asks registries to take at least this many bytes. */
export const maxManifestBytes: number = 4 * 1024 * 1024;

const kindOfType: ReadonlyMap<string, Manifest["kind"]> = new Map([
  [mediaTypes.ociManifest, "manifest"],
  [mediaTypes.dockerManifest, "manifest"],
  [mediaTypes.ociIndex, "index"],
  [mediaTypes.dockerManifestList, "index"],
]);
const schema1Types: ReadonlySet<string> = new Set([mediaTypes.dockerSchema1, mediaTypes.dockerSchema1Signed]);

/**
 * Reads a manifest or index from a stranger's bytes. `mediaType` is what the delivering side claims (a descriptor or a
 * `Content-Type`); an unknown one leaves the decision to the document. Throws `pull_failed` for Docker schema 1 and
 * `invalid_spec` for anything malformed or readable in two ways (CVE-2021-41190).
 */
export function parseManifest(bytes: Uint8Array, mediaType: string): Manifest {
  if (bytes.length > maxManifestBytes) throw invalid(`is larger than ${maxManifestBytes} bytes`);
  if (schema1Types.has(mediaType)) throw schema1();
  const json = parseJson(bytes);
  if (!isRecord(json)) throw invalid("is not a JSON object");
  if (json["schemaVersion"] === 1) throw schema1();
  if (json["schemaVersion"] !== 2) throw invalid("does not have schemaVersion 2");
  const kind = decideKind(json, mediaType);
  const declared = typeof json["mediaType"] === "string" ? json["mediaType"] : mediaType;
  return kind === "index" ? readIndex(json, declared) : readManifest(json, declared);
}

function decideKind(json: Json, mediaType: string): Manifest["kind"] {
  const hasManifests = json["manifests"] !== undefined;
  const hasLayers = json["layers"] !== undefined || json["config"] !== undefined;
  if (hasManifests && hasLayers) throw invalid("is both an image and an index");
  const shape = hasManifests ? "index" : "manifest";
  const own = json["mediaType"];
  if (own !== undefined && typeof own !== "string") throw invalid("has a mediaType that is no string");
  for (const claimed of [mediaType, own]) {
    const kind = claimed === undefined ? undefined : kindOfType.get(claimed);
    if (kind !== undefined && kind !== shape) throw invalid(`is delivered as ${claimed} but holds ${article(shape)}`);
  }
  return shape;
}

function readManifest(json: Json, mediaType: string): ImageManifest {
  const layers = json["layers"];
  if (!Array.isArray(layers)) throw invalid("has no list of layers");
  return {
    kind: "manifest",
    mediaType,
    config: parseDescriptor(json["config"], "config of the image manifest"),
    layers: layers.map((layer: unknown, index) => parseDescriptor(layer, `layer ${index} of the image manifest`)),
    ...common(json),
  };
}

function readIndex(json: Json, mediaType: string): ImageIndex {
  const manifests = json["manifests"];
  if (!Array.isArray(manifests)) throw invalid("has no list of manifests");
  return {
    kind: "index",
    mediaType,
    manifests: manifests.map((entry: unknown, index) => parseDescriptor(entry, `entry ${index} of the image index`)),
    ...common(json),
  };
}

function common(json: Json): Pick<Manifest, "artifactType" | "subject" | "annotations"> {
  return {
    artifactType: typeof json["artifactType"] === "string" ? json["artifactType"] : undefined,
    subject: json["subject"] === undefined ? undefined : parseDescriptor(json["subject"], "subject of the manifest"),
    annotations: stringMap(json["annotations"]),
  };
}

/**
 * The entry of an index that fits `wanted` best: exact variant before lower ones, earlier before later. Attestations
 * (`unknown/unknown`) are never chosen; an index whose only entry names no platform answers that entry, and the image
 * config decides. Throws `pull_failed` when nothing fits. `image` is the name for the message.
 */
export function choosePlatform(index: ImageIndex, wanted: OciPlatform, image: string = "the image index"): Descriptor {
  const images = index.manifests.filter((entry) => !isAttestation(entry));
  const [only] = images;
  if (only !== undefined && images.length === 1 && only.platform === undefined) return only;
  let best: { readonly entry: Descriptor; readonly rank: number } | undefined;
  for (const entry of images) {
    const rank = entry.platform === undefined ? undefined : platformRank(wanted, entry.platform);
    if (rank !== undefined && (best === undefined || rank < best.rank)) best = { entry, rank };
  }
  if (best === undefined) throw noMatch(images, wanted, image);
  return best.entry;
}

function isAttestation(entry: Descriptor): boolean {
  const { platform, annotations } = entry;
  if (annotations?.["vnd.docker.reference.type"] === "attestation-manifest") return true;
  return platform?.os === "unknown" || platform?.architecture === "unknown";
}

function noMatch(images: readonly Descriptor[], wanted: OciPlatform, image: string): BerthError {
  const offered = [...new Set(images.flatMap(({ platform }) => (platform === undefined ? [] : [platformToString(platform)])))];
  const list = offered.length === 0 ? "nothing" : offered.slice(0, 20).join(", ");
  const reason = `no matching manifest for ${platformToString(wanted)} in ${image}; it offers ${printable(list)}`;
  return new BerthError("pull_failed", reason, { image, reason });
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?").slice(0, 500);
}

function article(kind: Manifest["kind"]): string {
  return kind === "index" ? "an index" : "an image manifest";
}

function schema1(): BerthError {
  const reason = "the image is in the obsolete Docker schema 1 format; push it again with a current tool";
  return new BerthError("pull_failed", reason, { reason });
}

function invalid(why: string): BerthError {
  return new BerthError("invalid_spec", `the manifest ${why}`);
}
