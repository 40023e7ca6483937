/**
 * A strict tar reader for layers: bytes are pushed in, entries come out. It reads ustar, PAX, GNU long names and
 * base-256 numbers; every header is validated, and what it does not know it refuses, so that no second program can read
 * the same bytes differently.
 *
 * Global PAX headers are validated and, as in Docker and containerd, not applied.
 */
import { blockSize, malformed, parseHeader, type RawHeader } from "./tar-header.ts";
import { type PaxRecords, parsePax } from "./tar-pax.ts";

export type TarEntryType = "file" | "directory" | "symlink" | "hardlink" | "character" | "block" | "fifo";

/** Names are byte strings (see `byte-string.ts`), as written in the tar. */
export interface TarEntry {
  readonly type: TarEntryType;
  readonly name: string;
  /** Target of a symlink or hardlink, else empty. */
  readonly linkName: string;
  /** Bytes of data that follow; 0 unless a file. */
  readonly size: number;
  /** Permissions with setuid, setgid and sticky, without type bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970, with fraction. */
  readonly mtime: number;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

/** Where entries go: `begin`, any number of `data`, `end`. Chunks are only valid during the call. */
export interface TarSink {
  begin(entry: TarEntry): void;
  data(chunk: Buffer): void;
  end(): void;
}

const entryTypes: Readonly<Record<string, TarEntryType>> = {
  "0": "file",
  "7": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
};
/** PAX headers and GNU long names are kept in memory, so they have a limit; it is that of Go's archive/tar. */
const maxExtensionBytes = 1024 * 1024;
const maxNameBytes = 4096;
const noXattrs: ReadonlyMap<string, Uint8Array> = new Map();

type State = "header" | "extension" | "data" | "padding" | "zero" | "done";

export class TarReader {
  readonly #sink: TarSink;
  readonly #block = Buffer.alloc(blockSize);
  #filled = 0;
  #state: State = "header";
  /** Bytes still to come of data, padding or extension. */
  #remaining = 0;
  #paddingAfter = 0;
  #extension: { readonly flag: string; readonly bytes: Buffer } | undefined;
  #pax: PaxRecords | undefined;
  #longName: string | undefined;
  #longLink: string | undefined;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  /** Takes the next bytes. Throws `pull_failed` at the first thing that is wrong. */
  write(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && this.#state !== "done") at += this.#take(chunk, at);
  }

  /** Call after the last byte; throws `pull_failed` when the tar stops in the middle of something. */
  finish(): void {
    const betweenEntries = this.#state === "header" && this.#filled === 0 && !this.#hasExtensions();
    if (this.#state !== "done" && !betweenEntries) throw malformed("the tar is truncated");
  }

  /** Answers how many bytes it used. */
  #take(chunk: Buffer, at: number): number {
    switch (this.#state) {
      case "header":
      case "zero":
        return this.#takeBlock(chunk, at);
      case "extension":
        return this.#takeExtension(chunk, at);
      case "data":
        return this.#takeData(chunk, at);
      case "padding":
        return this.#takePadding(chunk, at);
      case "done":
        return chunk.length - at;
      default:
        return this.#state satisfies never;
    }
  }

  #takeBlock(chunk: Buffer, at: number): number {
    if (this.#filled === 0 && chunk.length - at >= blockSize) {
      this.#header(chunk.subarray(at, at + blockSize));
      return blockSize;
    }
    const used = chunk.copy(this.#block, this.#filled, at, at + blockSize - this.#filled);
    this.#filled += used;
    if (this.#filled === blockSize) {
      this.#filled = 0;
      this.#header(this.#block);
    }
    return used;
  }

  #header(block: Buffer): void {
    if (isZero(block)) {
      if (this.#hasExtensions()) throw malformed("an extended header has no entry");
      this.#state = this.#state === "zero" ? "done" : "zero";
      return;
    }
    if (this.#state === "zero") throw malformed("data after a lone zero block");
    const header = parseHeader(block);
    if ("xgLK".includes(header.flag)) this.#beginExtension(header);
    else this.#beginEntry(header);
  }

  #beginExtension(header: RawHeader): void {
    if (header.size > maxExtensionBytes) throw malformed(`an extended header of ${header.size} bytes is too large`, header.name);
    this.#extension = { flag: header.flag, bytes: Buffer.alloc(header.size) };
    this.#expect("extension", header.size);
    if (header.size === 0) this.#endExtension();
  }

  #takeExtension(chunk: Buffer, at: number): number {
    const { bytes } = this.#extension ?? { bytes: Buffer.alloc(0) };
    const used = chunk.copy(bytes, bytes.length - this.#remaining, at, at + this.#remaining);
    this.#remaining -= used;
    if (this.#remaining === 0) this.#endExtension();
    return used;
  }

  #endExtension(): void {
    const extension = this.#extension;
    this.#extension = undefined;
    this.#beginPadding();
    if (extension === undefined) return;
    const { flag, bytes } = extension;
    if (flag === "g") parsePax(bytes);
    else if (flag === "x") this.#pax = once(this.#pax, parsePax(bytes));
    else if (flag === "L") this.#longName = once(this.#longName, longText(bytes));
    else this.#longLink = once(this.#longLink, longText(bytes));
  }

  #beginEntry(header: RawHeader): void {
    const entry = this.#entry(header);
    this.#pax = this.#longName = this.#longLink = undefined;
    this.#sink.begin(entry);
    this.#expect("data", entry.size);
    if (entry.size === 0) this.#endEntry();
  }

  #entry(header: RawHeader): TarEntry {
    const pax = this.#pax;
    const name = this.#longName ?? pax?.path ?? header.name;
    const linkName = this.#longLink ?? pax?.linkPath ?? header.linkName;
    const type = header.flag === "0" && name.endsWith("/") ? "directory" : entryTypes[header.flag];
    if (type === undefined) throw malformed(`unsupported entry type ${JSON.stringify(header.flag)}`, name);
    const isLink = type === "symlink" || type === "hardlink";
    checkName(name, name);
    if (isLink) checkName(linkName, name);
    return {
      type,
      name,
      linkName: isLink ? linkName : "",
      // Old tars note the size of the linked file; no data follows.
      size: type === "file" ? (pax?.size ?? header.size) : 0,
      mode: header.mode,
      uid: id(pax?.uid ?? header.uid, "uid", name),
      gid: id(pax?.gid ?? header.gid, "gid", name),
      mtime: pax?.mtime ?? header.mtime,
      devMajor: header.devMajor,
      devMinor: header.devMinor,
      xattrs: pax?.xattrs ?? noXattrs,
    };
  }

  #takeData(chunk: Buffer, at: number): number {
    const used = Math.min(this.#remaining, chunk.length - at);
    this.#sink.data(used === chunk.length ? chunk : chunk.subarray(at, at + used));
    this.#remaining -= used;
    if (this.#remaining === 0) this.#endEntry();
    return used;
  }

  #endEntry(): void {
    this.#sink.end();
    this.#beginPadding();
  }

  #takePadding(chunk: Buffer, at: number): number {
    const used = Math.min(this.#remaining, chunk.length - at);
    this.#remaining -= used;
    if (this.#remaining === 0) this.#state = "header";
    return used;
  }

  #expect(state: State, size: number): void {
    this.#state = state;
    this.#remaining = size;
    this.#paddingAfter = (blockSize - (size % blockSize)) % blockSize;
  }

  #beginPadding(): void {
    this.#remaining = this.#paddingAfter;
    this.#state = this.#remaining === 0 ? "header" : "padding";
  }

  #hasExtensions(): boolean {
    return this.#pax !== undefined || this.#longName !== undefined || this.#longLink !== undefined;
  }
}

/** Two headers of one kind before one entry would leave open which of them counts. */
function once<T>(before: T | undefined, value: T): T {
  if (before !== undefined) throw malformed("two extended headers of the same kind for one entry");
  return value;
}

/** GNU writes a NUL after the name; anything behind it would be read by some and not by others. */
function longText(bytes: Buffer): string {
  const nul = bytes.indexOf(0);
  if (nul >= 0 && bytes.subarray(nul).some((byte) => byte !== 0)) throw malformed("a GNU long name holds a NUL");
  return bytes.toString("latin1", 0, nul < 0 ? bytes.length : nul);
}

function checkName(name: string, entry: string): void {
  if (name === "") throw malformed("an entry has an empty name or link target", entry);
  if (name.length > maxNameBytes) throw malformed(`a name of ${name.length} bytes is too long`, entry.slice(0, 100));
}

/** -1 means "leave as it is" to chown(2), so it is no id. */
function id(value: number, field: string, name: string): number {
  if (value > 0xfffffffe) throw malformed(`${field} ${value} is out of range`, name);
  return value;
}

const zeroBlock = Buffer.alloc(blockSize);

function isZero(block: Buffer): boolean {
  return block[0] === 0 && block.equals(zeroBlock);
}
