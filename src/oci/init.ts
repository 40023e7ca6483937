/** The minimal init that `initContainer` puts in front of the main process (contract 1.3.1). */
import { closeSync, openSync, readSync } from "node:fs";
import { BerthError } from "../errors.ts";

export const initCandidates: readonly string[] = [
  "/usr/bin/catatonit",
  "/usr/libexec/podman/catatonit",
  "/usr/libexec/docker/docker-init",
  "/usr/local/bin/docker-init",
  "/usr/bin/docker-init",
  "/usr/bin/tini-static",
  "/usr/bin/tini",
  "/sbin/tini-static",
];

/** First candidate that runs in any root file system. Throws `configuration` with the remedy when there is none. */
export function findInit(candidates: readonly string[] = initCandidates): string {
  const found = candidates.find(isStaticElf);
  if (found !== undefined) return found;
  throw new BerthError("configuration", "initContainer needs a statically linked init program; install catatonit or tini (Debian: apt install catatonit)");
}

const PT_INTERP = 3;

/** A dynamic program would look for its loader and libraries in the image, where there need not be any. `false` for what is no program. */
export function isStaticElf(path: string): boolean {
  const head = readHead(path);
  if (head === undefined || head.length < 64 || head.readUInt32BE(0) !== 0x7f454c46) return false;
  const [is64, isLittle] = [head[4] === 2, head[5] === 1];
  // Every 64-bit architecture we run on but s390x is little endian; 32-bit ones are not looked into.
  if (!is64 || !isLittle) return false;
  const [start, size, count] = [Number(head.readBigUInt64LE(32)), head.readUInt16LE(54), head.readUInt16LE(56)];
  for (let index = 0; index < count; index++) {
    const offset = start + index * size;
    if (offset + 4 > head.length || head.readUInt32LE(offset) === PT_INTERP) return false;
  }
  return true;
}

function readHead(path: string): Buffer | undefined {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return undefined;
  }
  try {
    const head = Buffer.alloc(4096);
    return head.subarray(0, readSync(file, head, 0, head.length, 0));
  } catch {
    return undefined;
  } finally {
    closeSync(file);
  }
}
