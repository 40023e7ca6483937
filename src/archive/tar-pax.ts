/** PAX extended headers (POSIX.1-2024 pax "pax Extended Header"), as far as layers need them. */
import { malformed } from "./tar-header.ts";

/** What extended headers said about the next entry. Names are byte strings; absent = not said. */
export interface PaxRecords {
  readonly path?: string | undefined;
  readonly linkPath?: string | undefined;
  readonly size?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Seconds since 1970, with fraction. */
  readonly mtime?: number | undefined;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

const xattrPrefix = "SCHILY.xattr.";

/** Reads the records of one header. Throws `pull_failed` on anything malformed, and on GNU sparse files. */
export function parsePax(bytes: Buffer): PaxRecords {
  const values = new Map<string, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    const record = nextRecord(bytes, at);
    values.set(record.key, record.value);
    at = record.end;
  }
  for (const key of values.keys()) {
    if (key.startsWith("GNU.sparse.")) throw malformed("GNU sparse files are not supported in layers");
  }
  return {
    path: name(values, "path"),
    linkPath: name(values, "linkpath"),
    size: count(values, "size", Number.MAX_SAFE_INTEGER),
    uid: count(values, "uid", 0xfffffffe),
    gid: count(values, "gid", 0xfffffffe),
    mtime: time(values, "mtime"),
    xattrs: xattrs(values),
  };
}

/** `<length> <key>=<value>\n`, where the length counts all of it. */
function nextRecord(bytes: Buffer, start: number): { key: string; value: Buffer; end: number } {
  const space = bytes.indexOf(0x20, start);
  const digits = space < 0 || space - start > 8 ? "" : bytes.toString("latin1", start, space);
  const end = /^[1-9][0-9]*$/.test(digits) ? start + Number(digits) : Number.NaN;
  if (!(end > space + 1 && end <= bytes.length) || bytes[end - 1] !== 0x0a) throw malformed("broken PAX record length");
  const equals = bytes.indexOf(0x3d, space + 1);
  if (equals <= space + 1 || equals >= end) throw malformed("a PAX record has no key");
  const key = bytes.toString("utf8", space + 1, equals);
  if (key.includes("\0")) throw malformed("a PAX key holds a NUL");
  return { key, value: bytes.subarray(equals + 1, end - 1), end };
}

/** An empty value takes back what was said before it. */
function name(values: ReadonlyMap<string, Buffer>, key: string): string | undefined {
  const value = values.get(key);
  if (value === undefined || value.length === 0) return undefined;
  if (value.includes(0)) throw malformed(`PAX ${key} holds a NUL`);
  return value.toString("latin1");
}

function count(values: ReadonlyMap<string, Buffer>, key: string, max: number): number | undefined {
  const text = values.get(key)?.toString("latin1") ?? "";
  if (text === "") return undefined;
  const value = Number(text);
  if (!/^[0-9]+$/.test(text) || value > max) throw malformed(`PAX ${key} ${JSON.stringify(text.slice(0, 40))} is not a valid number`);
  return value;
}

function time(values: ReadonlyMap<string, Buffer>, key: string): number | undefined {
  const text = values.get(key)?.toString("latin1") ?? "";
  if (text === "") return undefined;
  if (!/^-?[0-9]{1,18}(\.[0-9]*)?$/.test(text)) throw malformed(`PAX ${key} ${JSON.stringify(text.slice(0, 40))} is not a time`);
  return Number(text);
}

function xattrs(values: ReadonlyMap<string, Buffer>): ReadonlyMap<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  for (const [key, value] of values) {
    if (key.startsWith(xattrPrefix)) found.set(key.slice(xattrPrefix.length), Uint8Array.from(value));
  }
  return found;
}
