/** Device nodes a container sees and the rules of its device cgroup (contract 1.3.4). */
import { type Dirent, readdirSync, type Stats, statSync } from "node:fs";
import { posix } from "node:path";
import { BerthError } from "../errors.ts";
import { errnoCode, major, minor } from "../internal/libc.ts";
import type { OciDevice, OciDeviceRule } from "../spec/runtime-spec.ts";
import type { DeviceSpec } from "../spec/service-spec.ts";

export interface HostDevice extends OciDevice {
  /** `rwm` letters. */
  readonly access: string;
}

/** Looks the wanted devices up on the host; a directory means every device below it. Throws `invalid_spec` for a missing one. */
export function findDevices(devices: readonly DeviceSpec[]): readonly HostDevice[] {
  const byPath = new Map<string, HostDevice>();
  for (const wanted of devices) {
    for (const device of expand(wanted)) byPath.set(device.path, device);
  }
  return [...byPath.values()];
}

function expand(wanted: DeviceSpec): readonly HostDevice[] {
  const inContainer = wanted.containerPath ?? wanted.path;
  const stats = statDevice(wanted.path);
  if (!stats.isDirectory()) {
    const device = deviceOf(inContainer, stats, accessOf(wanted));
    if (device === undefined) throw new BerthError("invalid_spec", `devices: ${wanted.path} is not a device; use a bind mount for files`);
    return [device];
  }
  return devicesBelow(wanted.path, inContainer, accessOf(wanted));
}

function accessOf(device: DeviceSpec): string {
  const letters = `${device.read ? "r" : ""}${device.write ? "w" : ""}${device.mknod ? "m" : ""}`;
  return letters === "" ? "rw" : letters;
}

function statDevice(path: string): Stats {
  try {
    return statSync(path);
  } catch (cause) {
    throw new BerthError("invalid_spec", `devices: ${path} cannot be used: ${errnoCode(cause) ?? "unknown error"}`, { cause });
  }
}

/** What the OCI runtime sets up by itself, or what belongs to the host's session. */
const skippedNames: ReadonlySet<string> = new Set(["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "console", "ptmx"]);

/** Every device below a host directory, `/dev` by default: what a privileged container gets. */
export function allHostDevices(): readonly HostDevice[] {
  return devicesBelow("/dev", "/dev", "rwm");
}

function devicesBelow(directory: string, inContainer: string, access: string): readonly HostDevice[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    if (skippedNames.has(entry.name)) return [];
    const [path, target] = [posix.join(directory, entry.name), posix.join(inContainer, entry.name)];
    if (entry.isDirectory()) return devicesBelow(path, target, access);
    const device = isNode(entry) ? deviceIfThere(path, target, access) : undefined;
    return device === undefined ? [] : [device];
  });
}

function isNode(entry: Dirent): boolean {
  return entry.isCharacterDevice() || entry.isBlockDevice();
}

/** Devices come and go while the directory is read. */
function deviceIfThere(path: string, target: string, access: string): HostDevice | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? undefined : deviceOf(target, stats, access);
}

function deviceOf(path: string, stats: Stats, access: string): HostDevice | undefined {
  const type = stats.isCharacterDevice() ? "c" : stats.isBlockDevice() ? "b" : undefined;
  if (type === undefined) return undefined;
  const node = { path, type, major: major(stats.rdev), minor: minor(stats.rdev), fileMode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid } as const;
  return { ...node, access };
}

/** Docker's list: making any node is allowed, using only these. */
const defaultRules: readonly OciDeviceRule[] = [
  { allow: false, access: "rwm" },
  { allow: true, type: "c", access: "m" },
  { allow: true, type: "b", access: "m" },
  // null, zero, full, tty, random, urandom, console, ptmx, pts
  ...(
    [
      [1, 3],
      [1, 5],
      [1, 7],
      [5, 0],
      [1, 8],
      [1, 9],
      [5, 1],
      [5, 2],
    ] as const
  ).map(([first, second]) => rule(first, second)),
  { allow: true, type: "c", major: 136, access: "rwm" },
];

function rule(first: number, second: number): OciDeviceRule {
  return { allow: true, type: "c", major: first, minor: second, access: "rwm" };
}

export function deviceRules(devices: readonly HostDevice[], privileged: boolean): readonly OciDeviceRule[] {
  if (privileged) return [{ allow: true, access: "rwm" }];
  const own = devices.map((device): OciDeviceRule => {
    const type = device.type === "b" ? "b" : "c";
    return { allow: true, type, major: device.major, minor: device.minor, access: device.access };
  });
  return [...defaultRules, ...own];
}

/** OCI runtimes make these themselves and some refuse them in the list. */
const madeByRuntime: ReadonlySet<string> = new Set([
  "/dev/null",
  "/dev/zero",
  "/dev/full",
  "/dev/random",
  "/dev/urandom",
  "/dev/tty",
  "/dev/console",
  "/dev/ptmx",
]);

/** One node per path; a device of the spec takes the place of the host's own in a privileged container. */
export function deviceNodes(devices: readonly HostDevice[]): readonly OciDevice[] {
  const byPath = new Map(devices.map(({ access: _access, ...node }) => [node.path, node]));
  return [...byPath.values()].filter((node) => !madeByRuntime.has(node.path));
}
