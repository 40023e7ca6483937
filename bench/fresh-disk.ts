/**
 * A new ext4 on a loop device for every pull: ext4 avoids inodes that were freed lately, so a second pull after a removal
 * is up to ten times slower than the first, for whichever engine comes second.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";

export interface FreshDisk {
  readonly path: string;
  close(): void;
}

export function freshDisk(path: string, sizeBytes = 3e9): FreshDisk {
  const image = `${path}.img`;
  writeFileSync(image, "");
  truncateSync(image, sizeBytes);
  execFileSync("mkfs.ext4", ["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image]);
  mkdirSync(path, { recursive: true });
  execFileSync("mount", ["-o", "loop", image, path]);
  return {
    path,
    close: () => {
      execFileSync("umount", ["-l", path]);
      rmSync(path, { recursive: true, force: true });
      rmSync(image, { force: true });
    },
  };
}
