/** From the documents of an archive to the images it holds: `docker save` and OCI layouts, or both in one. */
import { malformed } from "../archive/tar-header.ts";
import { DigestMismatchError } from "../errors.ts";
import { type Descriptor, isRecord, stringList } from "../spec/descriptor.ts";
import { type Digest, digestLike, sha256 } from "../spec/digest.ts";
import { type ImageConfig, parseImageConfig, parseJson } from "../spec/image-config.ts";
import { choosePlatform, type ImageIndex, type ImageManifest, parseManifest } from "../spec/manifest.ts";
import { hostPlatform } from "../spec/platform.ts";
import { canonicalReference, parseReference, repositoryName } from "../spec/reference.ts";
import type { ArchiveContents, LayerSource } from "./archive-contents.ts";
import { blobName, dockerManifestFile, imageNameAnnotation, indexFile, layoutFile, refNameAnnotation } from "./archive-layout.ts";

/** An image that is about to be loaded. */
export interface PlannedImage {
  readonly id: Digest;
  readonly configBytes: Buffer;
  readonly config: ImageConfig;
  /** Base first; as many as the config has diffIDs. */
  readonly layers: readonly LayerSource[];
  /** What the archive says of each layer's stored bytes, in an OCI layout. */
  readonly manifest?: { readonly bytes: Buffer; readonly digest: Digest; readonly layers: readonly Descriptor[] } | undefined;
  /** Canonical references. */
  readonly names: Set<string>;
}

const maxImages = 1000;

/** Throws `pull_failed` and `invalid_spec` for an archive that cannot be understood. */
export function planImages(contents: ArchiveContents): PlannedImage[] {
  const [docker, index] = [contents.document(dockerManifestFile), contents.document(indexFile)];
  const isOci = index !== undefined && contents.document(layoutFile) !== undefined;
  if (!isOci && docker === undefined) throw malformed("it holds neither manifest.json nor oci-layout and index.json");
  const planned = new Map<Digest, PlannedImage>();
  if (isOci) for (const image of ociImages(contents, index)) merge(planned, image);
  // Beside an OCI layout only its names are news.
  if (docker !== undefined) for (const image of dockerImages(contents, docker, isOci ? planned : undefined)) merge(planned, image);
  if (planned.size === 0) throw malformed("it holds no image");
  return [...planned.values()];
}

function merge(planned: Map<Digest, PlannedImage>, image: PlannedImage): void {
  const known = planned.get(image.id);
  if (known === undefined) planned.set(image.id, image);
  else for (const name of image.names) known.names.add(name);
}

function* dockerImages(contents: ArchiveContents, document: Buffer, known: ReadonlyMap<Digest, PlannedImage> | undefined): Generator<PlannedImage> {
  const list = parseJson(document);
  if (!Array.isArray(list) || list.length > maxImages) throw malformed(`${dockerManifestFile} is not a list of images`);
  for (const item of list as readonly unknown[]) {
    const layers = isRecord(item) ? stringList(item["Layers"]) : undefined;
    if (!isRecord(item) || typeof item["Config"] !== "string" || (layers === undefined && item["Layers"] !== null))
      throw malformed(`${dockerManifestFile} has an entry without Config and Layers`);
    const configBytes = mustHave(contents, item["Config"]);
    const id = sha256(configBytes);
    checkName(item["Config"], id);
    const names = new Set((stringList(item["RepoTags"]) ?? []).map(tagName));
    const image = known?.get(id);
    if (image !== undefined) yield { ...image, names };
    else yield complete(contents, { id, configBytes, names, layerNames: layers ?? [] });
  }
}

/** A config may be named by its digest; then it must have it. */
function checkName(name: string, id: Digest): void {
  const [, hex] = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(name) ?? [];
  if (hex !== undefined && `sha256:${hex}` !== id) throw new DigestMismatchError(`image config ${name}`, { expected: `sha256:${hex}`, actual: id });
}

function* ociImages(contents: ArchiveContents, document: Buffer): Generator<PlannedImage> {
  const index = parseManifest(document, "");
  if (index.kind !== "index" || index.manifests.length > maxImages) throw malformed(`${indexFile} is not an image index`);
  for (const descriptor of index.manifests) {
    if (descriptor.annotations?.["vnd.docker.reference.type"] === "attestation-manifest") continue;
    const found = imageManifest(contents, descriptor);
    const configBytes = blob(contents, found.manifest.config);
    const { layers } = found.manifest;
    const names = new Set(annotatedNames(descriptor));
    const image = complete(contents, { id: sha256(configBytes), configBytes, names, layerNames: layers.map((layer) => blobName(layer.digest)) });
    yield { ...image, manifest: { bytes: found.bytes, digest: found.descriptor.digest, layers } };
  }
}

function imageManifest(contents: ArchiveContents, descriptor: Descriptor): { descriptor: Descriptor; bytes: Buffer; manifest: ImageManifest } {
  const bytes = blob(contents, descriptor);
  const manifest = parseManifest(bytes, descriptor.mediaType);
  if (manifest.kind === "manifest") return { descriptor, bytes, manifest };
  const chosen = choosePlatform(presentOnes(contents, manifest), hostPlatform(), "the archive");
  const inner = blob(contents, chosen);
  const second = parseManifest(inner, chosen.mediaType);
  if (second.kind !== "manifest") throw malformed("an index inside an index inside the archive holds no image");
  return { descriptor: chosen, bytes: inner, manifest: second };
}

/** An archive may hold one platform of an index of several. */
function presentOnes(contents: ArchiveContents, index: ImageIndex): ImageIndex {
  return { ...index, manifests: index.manifests.filter((entry) => contents.document(blobName(entry.digest)) !== undefined) };
}

function blob(contents: ArchiveContents, descriptor: Descriptor): Buffer {
  const bytes = mustHave(contents, blobName(descriptor.digest));
  const actual = digestLike(descriptor.digest, bytes);
  if (actual !== descriptor.digest) throw new DigestMismatchError("blob", { expected: descriptor.digest, actual });
  if (bytes.length !== descriptor.size) throw malformed(`blob ${descriptor.digest} has ${bytes.length} bytes and not ${descriptor.size}`);
  return bytes;
}

function complete(
  contents: ArchiveContents,
  o: { readonly id: Digest; readonly configBytes: Buffer; readonly names: Set<string>; readonly layerNames: readonly string[] },
): PlannedImage {
  const config = parseImageConfig(o.configBytes);
  const host = hostPlatform();
  if (config.os !== host.os) throw malformed(`image ${o.id} is for ${config.os}, and this is ${host.os}`);
  const { diffIds } = config.rootfs;
  if (o.layerNames.length !== diffIds.length) throw malformed(`image ${o.id} has ${o.layerNames.length} layers, but its config names ${diffIds.length}`);
  const layers = o.layerNames.map((name) => contents.layer(name) ?? missing(name));
  return { id: o.id, configBytes: o.configBytes, config, layers, names: o.names };
}

function mustHave(contents: ArchiveContents, name: string): Buffer {
  return contents.document(name) ?? missing(name);
}

function missing(name: string): never {
  throw malformed(`it lacks ${JSON.stringify(name.slice(0, 200))}, or that is not what it should be`);
}

function tagName(text: string): string {
  const reference = parseReference(text);
  return `${repositoryName(reference)}:${reference.tag ?? "latest"}`;
}

/** Docker and containerd write the whole name, Podman writes it as the reference; a mere tag names no repository. */
function annotatedNames({ annotations }: Descriptor): string[] {
  const whole = annotations?.[imageNameAnnotation];
  if (whole !== undefined) return [tagName(whole)];
  const reference = annotations?.[refNameAnnotation];
  return reference !== undefined && /[/:]/.test(reference) ? [canonicalReference(parseReference(tagName(reference)))] : [];
}
