/**
 * Tar headers as bytes (POSIX.1-2024 pax "ustar Interchange Format" and "pax Extended Header"): ustar wherever it can say
 * all, and a PAX header before what it cannot: long names, large numbers, fractions of a second, extended attributes.
 * Equal members give equal bytes.
 */
import { blockSize } from "./tar-header.ts";
import type { TarEntryType } from "./tar-reader.ts";

/** One member of an archive. Names are byte strings (`byte-string.ts`); a directory's may end with a slash or not. */
export interface TarMember {
  readonly type: TarEntryType;
  readonly name: string;
  /** Target of a symlink or hardlink. */
  readonly linkName?: string | undefined;
  /** Bytes of data that follow; only of a file. */
  readonly size?: number | undefined;
  /** Permissions with setuid, setgid and sticky; further bits are dropped. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since 1970. */
  readonly mtimeNs: bigint;
  readonly devMajor?: number | undefined;
  readonly devMinor?: number | undefined;
  readonly xattrs?: ReadonlyMap<string, Uint8Array> | undefined;
}

const flags: Readonly<Record<TarEntryType, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};
const maxName = 100;
const maxPrefix = 155;
const maxId = 0o7777777;
const maxNumber = 0o77777777777;
const secondNs = 1_000_000_000n;

/** Two zero blocks: nothing follows. */
export const endOfTar: Buffer = Buffer.alloc(2 * blockSize);

/** Zero bytes after so much data. */
export function tarPadding(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

/** Everything that stands before a member's data. */
export function tarHeader(member: TarMember): Buffer {
  const name = member.type === "directory" && !member.name.endsWith("/") ? `${member.name}/` : member.name;
  const linkName = member.linkName ?? "";
  const split = splitName(name);
  const records = paxRecords(member, split === undefined ? name : undefined, linkName);
  const header = Buffer.alloc(blockSize);
  const seconds = wholeSeconds(member.mtimeNs);
  fill(header, {
    name: split?.name ?? name.slice(0, maxName),
    prefix: split?.prefix ?? "",
    flag: flags[member.type],
    linkName: linkName.slice(0, maxName),
    mode: member.mode & 0o7777,
    uid: member.uid > maxId ? 0 : member.uid,
    gid: member.gid > maxId ? 0 : member.gid,
    size: (member.size ?? 0) > maxNumber ? 0 : (member.size ?? 0),
    mtime: seconds < 0 || seconds > maxNumber ? 0 : seconds,
    devMajor: member.devMajor ?? 0,
    devMinor: member.devMinor ?? 0,
  });
  return records.length === 0 ? header : Buffer.concat([paxHeader(name, records), header]);
}

/** How ustar holds a name: whole, or cut at a slash. `undefined` when it cannot. */
function splitName(name: string): { readonly name: string; readonly prefix: string } | undefined {
  if (name.length <= maxName) return { name, prefix: "" };
  const slash = name.indexOf("/", name.length - maxName - 1);
  const isRoom = slash > 0 && slash <= maxPrefix && slash < name.length - 1;
  return isRoom ? { name: name.slice(slash + 1), prefix: name.slice(0, slash) } : undefined;
}

function paxRecords(member: TarMember, longName: string | undefined, linkName: string): Buffer[] {
  const records: Buffer[] = [];
  if (longName !== undefined) records.push(paxRecord("path", Buffer.from(longName, "latin1")));
  if (linkName.length > maxName) records.push(paxRecord("linkpath", Buffer.from(linkName, "latin1")));
  if ((member.size ?? 0) > maxNumber) records.push(paxRecord("size", Buffer.from(String(member.size))));
  if (member.uid > maxId) records.push(paxRecord("uid", Buffer.from(String(member.uid))));
  if (member.gid > maxId) records.push(paxRecord("gid", Buffer.from(String(member.gid))));
  const seconds = wholeSeconds(member.mtimeNs);
  if (member.mtimeNs % secondNs !== 0n || seconds < 0 || seconds > maxNumber) records.push(paxRecord("mtime", Buffer.from(paxTime(member.mtimeNs))));
  const xattrs = [...(member.xattrs ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [key, value] of xattrs) records.push(paxRecord(`SCHILY.xattr.${key}`, value));
  return records;
}

function wholeSeconds(ns: bigint): number {
  return Number(ns / secondNs - (ns % secondNs < 0n ? 1n : 0n));
}

/** Seconds with as many decimals as it takes. */
function paxTime(ns: bigint): string {
  const magnitude = ns < 0n ? -ns : ns;
  const fraction = String(magnitude % secondNs)
    .padStart(9, "0")
    .replace(/0+$/, "");
  return `${ns < 0n ? "-" : ""}${magnitude / secondNs}${fraction === "" ? "" : `.${fraction}`}`;
}

/** `<length> <key>=<value>\n`, where the length counts all of it. */
function paxRecord(key: string, value: Uint8Array): Buffer {
  const rest = Buffer.byteLength(key) + value.length + 3;
  let length = rest + 1;
  while (length !== rest + String(length).length) length = rest + String(length).length;
  return Buffer.concat([Buffer.from(`${length} ${key}=`), value, Buffer.from("\n")]);
}

function paxHeader(name: string, records: readonly Buffer[]): Buffer {
  const size = records.reduce((total, record) => total + record.length, 0);
  const header = Buffer.alloc(blockSize);
  const base = name.replace(/\/+$/, "");
  const shown = `PaxHeaders.0/${base.slice(base.lastIndexOf("/") + 1)}`.slice(0, maxName);
  fill(header, { name: shown, prefix: "", flag: "x", linkName: "", mode: 0o644, uid: 0, gid: 0, size, mtime: 0, devMajor: 0, devMinor: 0 });
  return Buffer.concat([header, ...records, Buffer.alloc(tarPadding(size))]);
}

interface Fields {
  readonly name: string;
  readonly prefix: string;
  readonly flag: string;
  readonly linkName: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly devMajor: number;
  readonly devMinor: number;
}

function fill(block: Buffer, fields: Fields): void {
  block.write(fields.name, 0, maxName, "latin1");
  octal(block, 100, 7, fields.mode);
  octal(block, 108, 7, fields.uid);
  octal(block, 116, 7, fields.gid);
  octal(block, 124, 11, fields.size);
  octal(block, 136, 11, fields.mtime);
  block.write(fields.flag, 156, 1, "latin1");
  block.write(fields.linkName, 157, maxName, "latin1");
  block.write("ustar\x0000", 257, 8, "latin1");
  octal(block, 329, 7, fields.devMajor);
  octal(block, 337, 7, fields.devMinor);
  block.write(fields.prefix, 345, maxPrefix, "latin1");
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (let i = 0; i < blockSize; i++) sum += block[i] ?? 0;
  octal(block, 148, 6, sum);
  block[154] = 0;
}

/** Octal digits with leading zeros; the byte behind them stays as it is. */
function octal(block: Buffer, at: number, digits: number, value: number): void {
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    block[i] = 0x30 + (rest % 8);
    rest = Math.floor(rest / 8);
  }
}
