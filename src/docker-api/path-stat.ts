/** Header `X-Docker-Container-Path-Stat` of the archive routes: base64 of JSON whose mode is Go's, not the kernel's (contract 1.11). */
import { BerthError } from "../errors.ts";
import type { PathStat } from "../runtime/types.ts";
import { isRecord } from "../spec/descriptor.ts";

export const pathStatHeader = "x-docker-container-path-stat";

/** File type of `st_mode` → bits of Go's `os.FileMode`. */
const types: readonly (readonly [kernel: number, go: number])[] = [
  [0o040000, 2 ** 31],
  [0o120000, 2 ** 27],
  [0o060000, 2 ** 26],
  [0o020000, 2 ** 26 + 2 ** 21],
  [0o010000, 2 ** 25],
  [0o140000, 2 ** 24],
  [0o100000, 0],
];
const typeMask = 0o170000;
const permissionMask = 0o777;

const setBits: readonly (readonly [kernel: number, go: number])[] = [
  [0o4000, 2 ** 23],
  [0o2000, 2 ** 22],
  [0o1000, 2 ** 20],
];

const hasBits = (mode: number, bits: number): boolean => (mode & bits) >>> 0 === bits;

/** `st_mode` → Go's `os.FileMode`. */
export function goFileMode(mode: number): number {
  const type = types.find(([kernel]) => (mode & typeMask) === kernel)?.[1] ?? 0;
  const set = setBits.reduce((sum, [kernel, go]) => (hasBits(mode, kernel) ? sum + go : sum), 0);
  return type + set + (mode & permissionMask);
}

/** Go's `os.FileMode` → `st_mode`. */
export function kernelFileMode(mode: number): number {
  const candidates = types.filter(([, go]) => hasBits(mode, go)).sort(([, a], [, b]) => b - a);
  // A character device has the bit of a device as well: the one with more bits set comes first.
  const type = hasBits(mode, 2 ** 26 + 2 ** 21) ? 0o020000 : (candidates[0]?.[0] ?? 0o100000);
  const set = setBits.reduce((sum, [kernel, go]) => (hasBits(mode, go) ? sum + kernel : sum), 0);
  return type + set + (mode & permissionMask);
}

export function encodePathStat(stat: PathStat): string {
  const { name, size, mtime = "0001-01-01T00:00:00Z", linkTarget } = stat;
  return Buffer.from(JSON.stringify({ name, size, mode: goFileMode(stat.mode), mtime, linkTarget })).toString("base64");
}

/** Throws `internal` when the header is absent or no stat. */
export function decodePathStat(header: string | readonly string[] | undefined): PathStat {
  const json = typeof header === "string" ? parse(Buffer.from(header, "base64").toString("utf8")) : undefined;
  if (!isRecord(json)) throw new BerthError("internal", `the engine's answer has no readable ${pathStatHeader} header`);
  const { name, size, mode, mtime, linkTarget } = json;
  if (typeof name !== "string" || typeof size !== "number" || typeof mode !== "number") {
    throw new BerthError("internal", `the engine's ${pathStatHeader} header lacks name, size or mode`);
  }
  const kernelMode = kernelFileMode(mode);
  // Podman names the path itself where there is no link.
  const isLink = (kernelMode & typeMask) === 0o120000;
  return {
    name,
    size,
    mode: kernelMode,
    ...(typeof mtime === "string" ? { mtime } : {}),
    linkTarget: isLink && typeof linkTarget === "string" ? linkTarget : "",
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
