/**
 * Builds tar archives in memory, for tests and demo images. It writes what it is told, hostile entries included; with
 * equal input it writes equal bytes.
 */

export type TarFixtureType = "file" | "directory" | "symlink" | "hardlink" | "character" | "block" | "fifo";

export interface TarFixture {
  readonly name: string | Uint8Array;
  /** Default: `directory` when the name ends with a slash, `symlink` when there is a `linkName`, else `file`. */
  readonly type?: TarFixtureType | undefined;
  /** Data of a file. */
  readonly data?: Uint8Array | string | undefined;
  readonly linkName?: string | undefined;
  /** Default 0o755 for directories, else 0o644. */
  readonly mode?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Seconds since 1970; a fraction becomes a PAX record. Default 0. */
  readonly mtime?: number | undefined;
  readonly devMajor?: number | undefined;
  readonly devMinor?: number | undefined;
  /** Become PAX records `SCHILY.xattr.<name>`. */
  readonly xattrs?: Readonly<Record<string, Uint8Array | string>> | undefined;
  /** Further PAX records, written as given. */
  readonly pax?: Readonly<Record<string, string>> | undefined;
  /** Overrides the type flag of the header. */
  readonly flag?: string | undefined;
}

const flags: Readonly<Record<TarFixtureType, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

/** A whole archive with its end marker. */
export function writeTar(entries: readonly TarFixture[]): Buffer {
  return Buffer.concat([...entries.flatMap(entryBlocks), Buffer.alloc(1024)]);
}

/** Header blocks and data of one entry, without an end marker. Long names, xattrs and fractional times go into a PAX header. */
export function entryBlocks(entry: TarFixture): Buffer[] {
  const data = Buffer.from(entry.data ?? "");
  const name = Buffer.from(entry.name);
  const link = Buffer.from(entry.linkName ?? "");
  const records: [string, Uint8Array][] = Object.entries(entry.pax ?? {}).map(([key, value]) => [key, Buffer.from(value)]);
  if (name.length > 100) records.push(["path", name]);
  if (!Number.isInteger(entry.mtime ?? 0)) records.push(["mtime", Buffer.from(String(entry.mtime))]);
  if (link.length > 100) records.push(["linkpath", link]);
  for (const [key, value] of Object.entries(entry.xattrs ?? {})) records.push([`SCHILY.xattr.${key}`, Buffer.from(value)]);
  const header = headerBlock({ ...entry, name, size: data.length, flag: entry.flag ?? flags[typeOf(entry)] });
  return [...(records.length === 0 ? [] : paxBlocks(records)), header, ...padded(data)];
}

/** A PAX header block followed by its records. */
export function paxBlocks(records: readonly (readonly [string, Uint8Array | string])[], flag: "x" | "g" = "x"): Buffer[] {
  const body = Buffer.concat(records.map(([key, value]) => paxRecord(key, Buffer.from(value))));
  return [headerBlock({ name: "PaxHeaders.0/x", flag, size: body.length }), ...padded(body)];
}

function paxRecord(key: string, value: Buffer): Buffer {
  const content = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from("\n")]);
  let length = content.length;
  while (length !== content.length + String(length).length) length = content.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), content]);
}

export interface HeaderFields extends Omit<TarFixture, "data" | "xattrs" | "pax" | "type"> {
  readonly flag: string;
  readonly size: number;
}

/** One ustar header with a right checksum. Names over 100 bytes are cut. */
export function headerBlock(fields: HeaderFields): Buffer {
  const block = Buffer.alloc(512);
  Buffer.from(fields.name).copy(block, 0, 0, 100);
  octal(block, 100, 8, fields.mode ?? (fields.flag === "5" ? 0o755 : 0o644));
  octal(block, 108, 8, fields.uid ?? 0);
  octal(block, 116, 8, fields.gid ?? 0);
  octal(block, 124, 12, fields.size);
  octal(block, 136, 12, Math.floor(fields.mtime ?? 0));
  block.write(fields.flag, 156, 1, "latin1");
  Buffer.from(fields.linkName ?? "").copy(block, 157, 0, 100);
  block.write("ustar\x0000", 257, 8, "latin1");
  octal(block, 329, 8, fields.devMajor ?? 0);
  octal(block, 337, 8, fields.devMinor ?? 0);
  return withChecksum(block);
}

/** Fills in the checksum again after a block was changed by hand. */
export function withChecksum(block: Buffer): Buffer {
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8, "latin1");
  return block;
}

/** Base-256 when the octal digits would not fit. */
function octal(block: Buffer, start: number, length: number, value: number): void {
  const digits = value.toString(8);
  if (value >= 0 && digits.length < length) {
    block.write(digits.padStart(length - 1, "0"), start, length - 1, "latin1");
    return;
  }
  let rest = BigInt.asUintN(length * 8, BigInt(value));
  for (let i = length - 1; i >= 0; i--, rest >>= 8n) block[start + i] = Number(rest & 0xffn);
  block[start] = (block[start] ?? 0) | 0x80;
}

function padded(data: Buffer): Buffer[] {
  return data.length === 0 ? [] : [data, Buffer.alloc((512 - (data.length % 512)) % 512)];
}

function typeOf(entry: TarFixture): TarFixtureType {
  if (entry.type !== undefined) return entry.type;
  if (entry.linkName !== undefined) return "symlink";
  return Buffer.from(entry.name).at(-1) === 0x2f ? "directory" : "file";
}
