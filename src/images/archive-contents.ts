/**
 * What an archive of images holds, taken in while it arrives and before anything is known of it: documents are kept, layers
 * are spooled and unpacked at once, anything else is passed over. Names in it are looked up, never used as paths.
 */
import { createHash, type Hash } from "node:crypto";
import { compressionOf } from "../archive/decompress.ts";
import { blockSize, malformed, parseHeader } from "../archive/tar-header.ts";
import { type TarEntry, TarReader } from "../archive/tar-reader.ts";
import { type Digest, tryParseDigest } from "../spec/digest.ts";
import type { ContentLease } from "./content-leases.ts";
import { LayerIntake } from "./layer-intake.ts";
import type { StoreParts } from "./store-parts.ts";

/** A layer of an archive: newly taken in, or a blob that was in the store before. */
export type LayerSource =
  | { readonly kind: "taken"; readonly intake: LayerIntake }
  | { readonly kind: "stored"; readonly digest: Digest; readonly size: number };

const maxDocumentBytes = 8 * 1024 * 1024;
const maxDocumentsBytes = 64 * 1024 * 1024;
const maxTextBytes = 64 * 1024;
const maxEntries = 100_000;
const maxLinks = 16;
/** Unpacking may lag so many layers behind reading. */
const maxBehind = 8;

type Event = { readonly kind: "begin"; readonly entry: TarEntry } | { readonly kind: "data"; readonly chunk: Buffer } | { readonly kind: "end" };

type Current =
  | { readonly kind: "unknown"; readonly name: string; readonly size: number; readonly head: Buffer[] }
  | { readonly kind: "document"; readonly name: string; readonly parts: Buffer[] }
  | { readonly kind: "layer"; readonly name: string; readonly intake: LayerIntake }
  | { readonly kind: "stored"; readonly name: string; readonly digest: Digest; readonly size: number; readonly hash: Hash }
  | { readonly kind: "skipped" };

export class ArchiveContents implements AsyncDisposable {
  readonly #parts: StoreParts;
  readonly #lease: ContentLease;
  readonly #events: Event[] = [];
  readonly #reader: TarReader;
  readonly #documents = new Map<string, Buffer>();
  readonly #layers = new Map<string, LayerSource>();
  readonly #links = new Map<string, string>();
  readonly #seen = new Set<string>();
  readonly #unpacking = new Set<Promise<unknown>>();
  #current: Current = { kind: "skipped" };
  #documentsBytes = 0;

  constructor(parts: StoreParts, lease: ContentLease) {
    this.#parts = parts;
    this.#lease = lease;
    this.#reader = new TarReader({
      begin: (entry) => void this.#events.push({ kind: "begin", entry }),
      data: (chunk) => void this.#events.push({ kind: "data", chunk }),
      end: () => void this.#events.push({ kind: "end" }),
    });
  }

  /** The bytes may change afterwards. */
  async write(chunk: Buffer): Promise<void> {
    this.#reader.write(chunk);
    for (const event of this.#events.splice(0)) await this.#take(event);
    if (this.#current.kind === "layer") await this.#current.intake.flush();
  }

  end(): void {
    this.#reader.finish();
  }

  document(name: string): Buffer | undefined {
    return this.#documents.get(this.#follow(name));
  }

  layer(name: string): LayerSource | undefined {
    return this.#layers.get(this.#follow(name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#current.kind === "layer") await this.#current.intake.close();
    for (const layer of this.#layers.values()) if (layer.kind === "taken") await layer.intake.close();
  }

  async #take(event: Event): Promise<void> {
    switch (event.kind) {
      case "begin":
        return this.#begin(event.entry);
      case "data":
        return this.#data(event.chunk);
      case "end":
        return this.#end();
      default:
        return event satisfies never;
    }
  }

  #begin(entry: TarEntry): void {
    const name = archiveName(entry.name, entry.name);
    this.#current = { kind: "skipped" };
    if (entry.type === "directory") return;
    if (this.#seen.has(name)) throw malformed("the archive holds it twice", entry.name);
    this.#seen.add(name);
    if (this.#seen.size > maxEntries) throw malformed(`the archive has more than ${maxEntries} entries`);
    if (entry.type === "file") this.#current = { kind: "unknown", name, size: entry.size, head: [] };
    // A symlink is seen from where it stands, a hardlink from the root.
    else if (entry.type === "symlink") this.#links.set(name, archiveName(`${parentOf(name)}${entry.linkName}`, entry.name));
    else if (entry.type === "hardlink") this.#links.set(name, archiveName(entry.linkName, entry.name));
    else throw malformed(`a ${entry.type} has no place in an archive of images`, entry.name);
  }

  async #data(chunk: Buffer): Promise<void> {
    const current = this.#current;
    if (current.kind === "unknown") {
      current.head.push(Buffer.from(chunk));
      if (current.head.reduce((total, part) => total + part.length, 0) >= Math.min(blockSize, current.size)) await this.#recognise(current);
    } else if (current.kind === "document") current.parts.push(Buffer.from(chunk));
    else if (current.kind === "stored") current.hash.update(chunk);
    else if (current.kind === "layer" && current.intake.add(chunk)) await current.intake.flush();
  }

  async #recognise({ name, size, head: pieces }: Current & { readonly kind: "unknown" }): Promise<void> {
    const head = Buffer.concat(pieces);
    const digest = blobDigest(name);
    if (isDocument(head, size)) {
      this.#documentsBytes += size;
      if (size > maxDocumentBytes || this.#documentsBytes > maxDocumentsBytes) throw malformed(`a document of ${size} bytes is too large`, name);
      this.#current = { kind: "document", name, parts: [head] };
    } else if (!isLayer(head, name)) this.#current = { kind: "skipped" };
    else if (digest !== undefined && (await this.#isStored(digest))) {
      this.#current = { kind: "stored", name, digest, size, hash: createHash("sha256").update(head) };
    } else {
      while (this.#unpacking.size >= maxBehind) await Promise.race(this.#unpacking);
      const intake = await LayerIntake.begin(this.#parts);
      this.#current = { kind: "layer", name, intake };
      await intake.write(head);
    }
  }

  async #isStored(digest: Digest): Promise<boolean> {
    await this.#lease.add([digest]);
    return this.#parts.content.has(digest);
  }

  async #end(): Promise<void> {
    const current = this.#current;
    this.#current = { kind: "skipped" };
    if (current.kind === "document") this.#documents.set(current.name, Buffer.concat(current.parts));
    else if (current.kind === "layer") {
      this.#layers.set(current.name, { kind: "taken", intake: current.intake });
      await current.intake.end();
      const unpacking: Promise<unknown> = current.intake.taken().then(
        () => this.#unpacking.delete(unpacking),
        () => this.#unpacking.delete(unpacking),
      );
      this.#unpacking.add(unpacking);
    } else if (current.kind === "stored") {
      const actual = `sha256:${current.hash.digest("hex")}`;
      if (actual !== current.digest) throw malformed(`its bytes have the digest ${actual}`, current.name);
      this.#layers.set(current.name, { kind: "stored", digest: current.digest, size: current.size });
    }
  }

  #follow(name: string): string {
    let at = archiveName(name, name);
    for (let hops = 0; this.#links.has(at); hops++) {
      if (hops === maxLinks) throw malformed("too many links", name);
      at = this.#links.get(at) ?? at;
    }
    return at;
  }
}

/** `./a//b` as `a/b`. Throws `pull_failed` for names that lead out of the archive. */
function archiveName(name: string, entry: string): string {
  const components: string[] = [];
  if (name.startsWith("/")) throw malformed("an absolute name has no place in an archive of images", entry);
  for (const component of name.split("/")) {
    if (component === "" || component === ".") continue;
    if (component !== "..") components.push(component);
    else if (components.pop() === undefined) throw malformed("the name leads out of the archive", entry);
  }
  return components.join("/");
}

function parentOf(name: string): string {
  return name.slice(0, name.lastIndexOf("/") + 1);
}

/** The digest a file is named by in an OCI layout. */
function blobDigest(name: string): Digest | undefined {
  const [, hex] = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(name) ?? [];
  return hex === undefined ? undefined : tryParseDigest(`sha256:${hex}`);
}

/** JSON, or a short text such as VERSION. */
function isDocument(head: Buffer, size: number): boolean {
  const first = head.toString("latin1").trimStart()[0];
  if (first === "{" || first === "[") return true;
  return size <= maxTextBytes && !head.includes(0) && compressionOf(head) === undefined;
}

function isLayer(head: Buffer, name: string): boolean {
  const compression = compressionOf(head);
  if (compression === "bzip2" || compression === "xz") throw malformed(`a layer compressed with ${compression} is not supported`, name);
  return compression !== undefined || isTarStart(head);
}

function isTarStart(head: Buffer): boolean {
  if (head.length < blockSize) return false;
  const block = head.subarray(0, blockSize);
  if (block.every((byte) => byte === 0)) return true;
  try {
    parseHeader(block);
    return true;
  } catch {
    return false;
  }
}
