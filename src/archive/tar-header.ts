/**
 * One 512-byte tar header block, read strictly (POSIX.1-2024 pax "ustar Interchange Format", GNU tar manual "Basic Tar Format").
 *
 * Names are bytes in a tar. They are kept as *byte strings* here: one character per byte, so that names which are no
 * UTF-8 survive and nothing two entries call differently is taken for one. See `byte-string.ts`.
 */
import { BerthError, isBerthError } from "../errors.ts";

export const blockSize = 512;

export interface RawHeader {
  readonly name: string;
  readonly linkName: string;
  /** The type flag as a character; NUL became "0". */
  readonly flag: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly devMajor: number;
  readonly devMinor: number;
}

/** Reads a block that is not all zero. Throws `pull_failed` when anything in it is not as the format says. */
export function parseHeader(block: Buffer): RawHeader {
  checkSum(block);
  const format = formatOf(block);
  const prefix = prefixOf(block, format);
  const name = text(block, 0, 100);
  const flag = block[156] === 0 ? "0" : String.fromCharCode(block[156] ?? 0);
  const entry = prefix === "" ? name : `${prefix}/${name}`;
  // Writers leave all sorts of things in the device fields of other entries.
  const isDevice = (flag === "3" || flag === "4") && format !== "v7";
  return {
    name: entry,
    linkName: text(block, 157, 100),
    flag,
    mode: count(block, 100, 8, "mode", entry) & 0o7777,
    uid: count(block, 108, 8, "uid", entry),
    gid: count(block, 116, 8, "gid", entry),
    size: count(block, 124, 12, "size", entry),
    mtime: number(block, 136, 12, "mtime", entry),
    devMajor: isDevice ? count(block, 329, 8, "devmajor", entry) : 0,
    devMinor: isDevice ? count(block, 337, 8, "devminor", entry) : 0,
  };
}

type Format = "v7" | "ustar" | "star" | "gnu";

function formatOf(block: Buffer): Format {
  const magic = block.toString("latin1", 257, 265);
  if (magic === "ustar  \0") return "gnu";
  if (magic.startsWith("ustar\0")) return block.toString("latin1", 508, 512) === "tar\0" ? "star" : "ustar";
  return "v7";
}

/** Old GNU headers hold other things where ustar has its prefix. */
function prefixOf(block: Buffer, format: Format): string {
  if (format === "ustar") return text(block, 345, 155);
  return format === "star" ? text(block, 345, 131) : "";
}

/** The sum of all bytes with the field itself as spaces; old tars added signed bytes. */
function checkSum(block: Buffer): void {
  let unsigned = 256;
  let signed = 256;
  for (let i = 0; i < blockSize; i++) {
    if (i >= 148 && i < 156) continue;
    const byte = block[i] ?? 0;
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  const stored = number(block, 148, 8, "checksum", "");
  if (stored !== unsigned && stored !== signed) throw malformed("a header has a wrong checksum");
}

/** Up to the first NUL. */
function text(block: Buffer, start: number, length: number): string {
  const end = block.indexOf(0, start);
  return block.toString("latin1", start, end < 0 ? start + length : Math.min(end, start + length));
}

function count(block: Buffer, start: number, length: number, field: string, entry: string): number {
  const value = number(block, start, length, field, entry);
  if (value < 0) throw malformed(`negative ${field}`, entry);
  return value;
}

/** Octal digits between spaces and NULs, or GNU's base-256 when the top bit is set. An empty field is 0. */
function number(block: Buffer, start: number, length: number, field: string, entry: string): number {
  const first = block[start] ?? 0;
  if ((first & 0x80) !== 0) return base256(block, start, length, field, entry);
  let at = start;
  const end = start + length;
  while (at < end && block[at] === 0x20) at++;
  let value = 0;
  for (; at < end; at++) {
    const digit = (block[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  for (; at < end; at++) {
    if (block[at] !== 0x20 && block[at] !== 0) throw malformed(`${field} is not an octal number`, entry);
  }
  return value;
}

function base256(block: Buffer, start: number, length: number, field: string, entry: string): number {
  const negative = ((block[start] ?? 0) & 0x40) !== 0;
  let value = BigInt(((block[start] ?? 0) & 0x7f) | (negative ? 0x80 : 0));
  for (let i = 1; i < length; i++) value = (value << 8n) | BigInt(block[start + i] ?? 0);
  const result = Number(negative ? BigInt.asIntN(length * 8, value) : value);
  if (!Number.isSafeInteger(result)) throw malformed(`${field} is out of range`, entry);
  return result;
}

/** What is wrong with a tar, naming the entry where one is known. */
export function malformed(what: string, entry = ""): BerthError {
  const named = entry === "" ? "" : `entry ${JSON.stringify(Buffer.from(entry, "latin1").toString())}: `;
  return new BerthError("pull_failed", `malformed layer: ${named}${what}`);
}

/** What is wrong with a tar that somebody handed in is the caller's mistake, not a registry's. */
export function asArchiveError(thrown: unknown): unknown {
  if (!isBerthError(thrown, "pull_failed")) return thrown;
  return new BerthError("invalid_spec", thrown.message.replace(/^malformed layer/, "malformed archive"), { cause: thrown });
}
