/**
 * Volumes in memory (`type=tmpfs`): mounted on the host while a container runs that uses them, so that several share them.
 * Who has one mounted is on record before the mount is made; the last to leave unmounts, and what died is left for it.
 */
import { readFileSync } from "node:fs";
import { MNT_DETACH, MS, mount, unmount } from "../internal/libc.ts";
import type { VolumeStore } from "./volume-store.ts";

const flagOf: Readonly<Record<string, number>> = { nosuid: MS.NOSUID, nodev: MS.NODEV, noexec: MS.NOEXEC };

/** Nothing for a volume of another kind. */
export async function mountMemory(volumes: VolumeStore, name: string, user: string): Promise<void> {
  const source = volumes.source(name);
  if (source.kind !== "memory") return;
  using _lock = await volumes.lock(name);
  volumes.records.addMount(name, user);
  volumes.ensureDirectory(name);
  if (isMounted(volumes.path(name))) return;
  const flags = source.options.reduce((sum, word) => sum | (flagOf[word] ?? 0), 0);
  const data = source.options.filter((word) => flagOf[word] === undefined);
  mount("tmpfs", volumes.path(name), "tmpfs", flags, data.join(","));
}

/** May be repeated. */
export async function unmountMemory(volumes: VolumeStore, user: string): Promise<void> {
  for (const name of volumes.records.mountsOf(user)) {
    using _lock = await volumes.lock(name);
    if (volumes.records.dropMount(name, user).length === 0) unmount(volumes.path(name), MNT_DETACH);
  }
}

/** Lets go for users that died: a reboot takes the mounts but leaves the rows. */
export async function recoverMemory(volumes: VolumeStore, isActive: (user: string) => boolean): Promise<void> {
  const users = new Set(volumes.records.mounts().map(({ user }) => user));
  for (const user of users) if (!isActive(user)) await unmountMemory(volumes, user);
}

function isMounted(path: string): boolean {
  return readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .some((line) => line.split(" ")[1] === path);
}
