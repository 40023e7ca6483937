/**
 * Several archives of images as one: members that several hold appear once, what lists the images is joined and written last.
 * Both layouts are kept where every archive has both; where one has only Docker's, so has the result.
 */
import { TarReader, type TarEntry } from "../../archive/tar-reader.ts";
import { endOfTar, tarHeader, type TarMember, tarPadding } from "../../archive/tar-writer.ts";
import { BerthError } from "../../errors.ts";
import type { ByteStream } from "../../runtime/types.ts";

const lists = ["manifest.json", "repositories", "index.json", "oci-layout"] as const;
type ListName = (typeof lists)[number];
const maxListBytes = 8 * 1024 * 1024;

export async function* mergeArchives(archives: readonly ByteStream[]): AsyncGenerator<Uint8Array> {
  const merger = new Merger();
  const sources = archives.map((archive) => archive[Symbol.asyncIterator]());
  try {
    for (const source of sources) {
      const reader = new TarReader(merger);
      for (let step = await source.next(); step.done !== true; step = await source.next()) {
        reader.write(Buffer.from(step.value.buffer, step.value.byteOffset, step.value.byteLength));
        yield* merger.take();
      }
      reader.finish();
      merger.endOfArchive();
    }
    yield* merger.finish();
  } finally {
    await Promise.allSettled(sources.map((source) => source.return?.()));
  }
}

/** What one archive says about its images. */
type Lists = Partial<Record<ListName, Buffer>>;

class Merger {
  readonly #names = new Set<string>();
  readonly #found: Lists[] = [];
  #current: Lists = {};
  #output: Uint8Array[] = [];
  #entry: { readonly size: number; readonly copied: boolean; readonly list: ListName | undefined; readonly parts: Buffer[] } | undefined;

  begin(entry: TarEntry): void {
    const list = lists.find((name) => name === entry.name);
    if (list !== undefined && entry.size > maxListBytes) throw new BerthError("internal", `${list} of an image archive is ${entry.size} bytes long`);
    const copied = list === undefined && !this.#names.has(entry.name);
    if (list === undefined) this.#names.add(entry.name);
    this.#entry = { size: entry.size, copied, list, parts: [] };
    if (copied) this.#output.push(tarHeader(memberOf(entry)));
  }

  data(chunk: Buffer): void {
    // The reader's chunk is only lent.
    if (this.#entry?.copied === true) this.#output.push(Buffer.from(chunk));
    else if (this.#entry?.list !== undefined) this.#entry.parts.push(Buffer.from(chunk));
  }

  end(): void {
    const entry = this.#entry;
    if (entry?.copied === true) this.#output.push(Buffer.alloc(tarPadding(entry.size)));
    if (entry?.list !== undefined) this.#current[entry.list] = Buffer.concat(entry.parts);
  }

  take(): Uint8Array[] {
    const output = this.#output;
    this.#output = [];
    return output;
  }

  endOfArchive(): void {
    this.#found.push(this.#current);
    this.#current = {};
  }

  finish(): Uint8Array[] {
    const everyHas = (name: ListName): boolean => this.#found.every((one) => one[name] !== undefined);
    const all = (name: ListName): unknown[] => this.#found.map((one) => parse(name, one[name]));
    const joined: [ListName, unknown][] = [["manifest.json", all("manifest.json").flat()]];
    const repositories = Object.assign({}, ...all("repositories"));
    if (Object.keys(repositories).length > 0) joined.push(["repositories", repositories]);
    if (everyHas("index.json") && everyHas("oci-layout")) {
      const [first] = all("index.json");
      const manifests = all("index.json").flatMap((index) => (isIndex(index) ? index.manifests : []));
      joined.push(["index.json", { ...(isIndex(first) ? first : {}), manifests }], ["oci-layout", all("oci-layout")[0]]);
    }
    return [...joined.flatMap(([name, value]) => fileOf(name, value)), endOfTar];
  }
}

function memberOf({ type, name, linkName, size, mode, uid, gid, mtime, devMajor, devMinor, xattrs }: TarEntry): TarMember {
  return { type, name, linkName, size, mode, uid, gid, mtimeNs: BigInt(Math.trunc(mtime)) * 1_000_000_000n, devMajor, devMinor, xattrs };
}

function parse(name: ListName, bytes: Buffer | undefined): unknown {
  if (bytes === undefined) return name === "manifest.json" ? [] : {};
  try {
    return JSON.parse(bytes.toString());
  } catch (cause) {
    throw new BerthError("internal", `${name} of an image archive is no JSON`, { cause });
  }
}

function isIndex(value: unknown): value is { readonly manifests: readonly unknown[] } {
  return typeof value === "object" && value !== null && "manifests" in value && Array.isArray(value.manifests);
}

function fileOf(name: string, value: unknown): Uint8Array[] {
  const data = Buffer.from(JSON.stringify(value));
  const header = tarHeader({ type: "file", name, size: data.length, mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n });
  return [header, data, Buffer.alloc(tarPadding(data.length))];
}
