/** Methods 33 to 35 of the mock: archives in the layout of `docker save`, whose layers say only what they would hold. */
import { byteChunks, plainArchive } from "../../archive/archive-source.ts";
import { TarReader } from "../../archive/tar-reader.ts";
import { endOfTar, tarHeader, tarPadding } from "../../archive/tar-writer.ts";
import { BerthError, isBerthError } from "../../errors.ts";
import type { ByteSource, LoadProgress } from "../../runtime/types.ts";
import { applyChanges, emptyConfig } from "../../spec/changes.ts";
import { isRecord, stringList } from "../../spec/descriptor.ts";
import { type Digest, digestHex, sha256 } from "../../spec/digest.ts";
import type { ImageConfig } from "../../spec/image-config.ts";
import { parseJson } from "../../spec/image-config.ts";
import { hostPlatform, type TargetPlatform, toOciPlatform } from "../../spec/platform.ts";
import { canonicalReference, familiarName, importTarget, parseReference } from "../../spec/reference.ts";
import type { ImageStore, StoredImage } from "./images.ts";

/** Everything that can be wrong with the names is found before the stream begins. */
export function saveArchive(images: ImageStore, names: readonly string[]): AsyncGenerator<Uint8Array> {
  if (names.length === 0) throw new BerthError("invalid_spec", "no image to save; name at least one");
  const wanted = new Map<StoredImage, Set<string>>();
  for (const name of names) {
    const image = images.get(name);
    const tags = wanted.get(image) ?? new Set<string>();
    wanted.set(image, tags);
    const tag = /^(?:sha256:)?[0-9a-f]{64}$/.test(name) ? "" : canonicalReference(parseReference(name));
    if (image.tags.has(tag)) tags.add(tag);
  }
  const sorted = [...wanted].sort(([a], [b]) => (a.id < b.id ? -1 : 1));
  for (const [image] of sorted) images.tell("save", image);
  return archive(sorted);
}

async function* archive(images: readonly (readonly [StoredImage, ReadonlySet<string>])[]): AsyncGenerator<Uint8Array> {
  const entries = images.map(([{ id, layerSizes }, tags]) => ({
    Config: `${digestHex(id)}.json`,
    RepoTags: [...tags].sort().map(familiarName),
    Layers: layerSizes.map(String),
  }));
  yield member("manifest.json", JSON.stringify(entries));
  for (const [image] of images) yield member(`${digestHex(image.id)}.json`, JSON.stringify(image.config));
  yield endOfTar;
}

function member(name: string, text: string): Buffer {
  const data = Buffer.from(text);
  const header = tarHeader({ type: "file", name, size: data.length, mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n });
  return Buffer.concat([header, data, Buffer.alloc(tarPadding(data.length))]);
}

export async function* loadArchive(images: ImageStore, tar: ByteSource, quiet: boolean): AsyncGenerator<LoadProgress> {
  const files = await readArchive(tar, "load");
  const list = document(files.files, "manifest.json");
  if (!Array.isArray(list) || list.length === 0) throw bad("load", "manifest.json is not a list of images");
  const read = list.map((entry: unknown) => readImage(files.files, entry));
  const references: string[] = [];
  for (const { image, tags } of read) {
    if (!quiet) for (const diffId of image.config.rootfs.diffIds) yield { kind: "status", id: digestHex(diffId).slice(0, 12), status: "Loading layer" };
    images.add(image, tags, "load");
    references.push(...(tags.length > 0 ? tags : [image.id]));
  }
  yield { kind: "done", references };
}

type NewImage = Pick<StoredImage, "id" | "config" | "manifestDigest" | "layerSizes" | "image" | "reference">;

function readImage(files: ReadonlyMap<string, Buffer>, entry: unknown): { readonly image: NewImage; readonly tags: readonly string[] } {
  const layers = isRecord(entry) ? stringList(entry["Layers"]) : undefined;
  if (!isRecord(entry) || typeof entry["Config"] !== "string" || layers === undefined) throw bad("load", "an entry lacks Config or Layers");
  const bytes = files.get(entry["Config"]);
  if (bytes === undefined) throw bad("load", `it lacks ${entry["Config"]}`);
  const id = sha256(bytes);
  if (entry["Config"] !== `${digestHex(id)}.json`) throw bad("load", `image config ${entry["Config"]} has another digest`);
  const config = document(files, entry["Config"]) as ImageConfig;
  const tags = (stringList(entry["RepoTags"]) ?? []).map((tag) => canonicalReference(parseReference(tag)));
  return { image: stored(id, config, layers.map(Number), tags[0] ?? id), tags };
}

function document(files: ReadonlyMap<string, Buffer>, name: string): unknown {
  const bytes = files.get(name);
  if (bytes === undefined) throw bad("load", `it lacks ${name}`);
  return parseJson(bytes);
}

export async function importArchive(
  images: ImageStore,
  tar: ByteSource,
  repo: string | undefined,
  tag: string | undefined,
  o: { readonly message?: string | undefined; readonly changes?: string | undefined; readonly platform?: TargetPlatform | undefined },
): Promise<string> {
  const name = importTarget(repo, tag);
  const config = applyChanges(emptyConfig, o.changes ?? "");
  const { bytes, sizeBytes } = await readArchive(tar, "import");
  if (bytes.length === 0) throw bad("import", "it is empty");
  const created = new Date().toISOString();
  const comment = o.message ?? "Imported from -";
  const platform = o.platform === undefined ? hostPlatform() : toOciPlatform(o.platform);
  const image: ImageConfig = { ...platform, created, comment, config, rootfs: { diffIds: [sha256(bytes)] }, history: [{ created, comment }] };
  const id = sha256(JSON.stringify(image));
  images.add(stored(id, image, [sizeBytes], id), name === undefined ? [] : [canonicalReference(name)], "import");
  return id;
}

function stored(id: Digest, config: ImageConfig, layerSizes: readonly number[], reference: string): NewImage {
  return { id, config, layerSizes, reference, manifestDigest: sha256(`manifest of ${id}`), image: { config: config.config } };
}

async function readArchive(
  tar: ByteSource,
  verb: string,
): Promise<{ readonly files: Map<string, Buffer>; readonly bytes: Buffer; readonly sizeBytes: number }> {
  const files = new Map<string, Buffer>();
  const chunks: Buffer[] = [];
  let [name, parts, sizeBytes]: [string, Buffer[], number] = ["", [], 0];
  const reader = new TarReader({
    begin: (entry) => {
      if (entry.name.startsWith("/") || entry.name.split("/").includes("..")) throw bad(verb, `${JSON.stringify(entry.name)} leads out of it`);
      if (verb === "load" && files.has(entry.name)) throw bad(verb, `it holds ${entry.name} twice`);
      [name, parts] = [entry.name, []];
      sizeBytes += entry.size;
    },
    data: (chunk) => void parts.push(Buffer.from(chunk)),
    end: () => void files.set(name, Buffer.concat(parts)),
  });
  try {
    for await (const chunk of plainArchive(byteChunks(tar))) {
      chunks.push(Buffer.from(chunk));
      reader.write(chunk);
    }
    reader.finish();
  } catch (error) {
    throw isBerthError(error, "pull_failed") ? bad(verb, error.message) : error;
  }
  return { files, bytes: Buffer.concat(chunks), sizeBytes };
}

function bad(verb: string, why: string): BerthError {
  return new BerthError("invalid_spec", `cannot ${verb} the archive: ${why}`);
}
