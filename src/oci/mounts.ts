/** What is mounted into a container: the standard file systems, the engine's files and the spec's storage (contract 1.3.3 and 1.3.4). */
import type { OciMount } from "../spec/runtime-spec.ts";

/** A storage entry after its source was found or made. */
export type ContainerMount =
  | {
      readonly kind: "bind";
      readonly source: string;
      readonly target: string;
      readonly readonly: boolean;
      /** The source is no directory. */
      readonly isFile?: boolean | undefined;
    }
  | { readonly kind: "tmpfs"; readonly target: string; readonly sizeBytes?: number | undefined; readonly mode?: number | undefined }
  /** Mounted by the OCI runtime, with these options. */
  | { readonly kind: "file system"; readonly type: string; readonly source: string; readonly target: string; readonly options: readonly string[] };

export interface MountChoices {
  /** Writable /sys. */
  readonly privileged: boolean;
  readonly writableCgroups: boolean;
  readonly readOnlyRoot: boolean;
  /** `bind` shares the memory of the host or of another container; `none` leaves /dev/shm out. */
  readonly shm: { readonly kind: "tmpfs" } | { readonly kind: "bind"; readonly source: string } | { readonly kind: "none" };
  readonly files: EngineFiles;
  /** Host path of the init to show at {@link initTarget}. */
  readonly init?: string | undefined;
  readonly mounts: readonly ContainerMount[];
}

/** Files the engine keeps on the host and shows in /etc; an absent one leaves the image's. */
export interface EngineFiles {
  readonly hosts?: string | undefined;
  readonly hostname?: string | undefined;
  readonly resolvConf?: string | undefined;
}

export const defaultShmBytes: number = 64 * 1024 * 1024;
/** On the container's own /dev, so that no file appears in its layer. */
export const initTarget = "/dev/berth-init";

/**
 * Parents before children. What the spec mounts replaces the standard mounts at and below its target, and an engine's file at
 * exactly its target: a volume at /etc still gets the container's own hosts file.
 */
export function buildMounts(choices: MountChoices): readonly OciMount[] {
  const own = choices.mounts.map(ownMount);
  const targets = own.map((mount) => mount.destination);
  const standard = standardMounts(choices).filter(
    ({ destination }) => !targets.some((target) => destination === target || destination.startsWith(`${target}/`)),
  );
  const files = fileMounts(choices.files, choices.readOnlyRoot).filter(({ destination }) => !targets.includes(destination));
  const init = choices.init === undefined ? [] : [fileMount(choices.init, initTarget, ["ro"])];
  return [...standard, ...[...own, ...files, ...init].sort((a, b) => depth(a.destination) - depth(b.destination))];
}

function depth(path: string): number {
  return path.split("/").length;
}

/** The file systems every container has, whatever its spec mounts. */
export function standardMounts(o: Pick<MountChoices, "privileged" | "writableCgroups" | "shm">): readonly OciMount[] {
  const sysAccess = o.privileged ? "rw" : "ro";
  return [
    { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
    { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "strictatime", "mode=755", "size=65536k"] },
    { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"] },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", sysAccess] },
    cgroupMount(o),
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
    ...shmMount(o.shm),
  ];
}

/** OCI runtimes take this type for both cgroup versions. */
function cgroupMount(o: Pick<MountChoices, "privileged" | "writableCgroups">): OciMount {
  const access = o.privileged || o.writableCgroups ? "rw" : "ro";
  return { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "noexec", "nodev", "relatime", access] };
}

function shmMount(shm: MountChoices["shm"]): readonly OciMount[] {
  if (shm.kind === "none") return [];
  if (shm.kind === "bind") return [{ destination: "/dev/shm", type: "bind", source: shm.source, options: ["rbind", "rprivate", "nosuid", "noexec", "nodev"] }];
  return [{ destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "noexec", "nodev", "mode=1777", `size=${defaultShmBytes}`] }];
}

function fileMounts(files: EngineFiles, readOnly: boolean): readonly OciMount[] {
  const access = readOnly ? ["ro"] : [];
  const wanted: readonly (readonly [string | undefined, string])[] = [
    [files.hosts, "/etc/hosts"],
    [files.hostname, "/etc/hostname"],
    [files.resolvConf, "/etc/resolv.conf"],
  ];
  return wanted.flatMap(([source, destination]) => (source === undefined ? [] : [fileMount(source, destination, access)]));
}

function fileMount(source: string, destination: string, options: readonly string[]): OciMount {
  return { destination, type: "bind", source, options: ["rbind", "rprivate", ...options] };
}

function ownMount(mount: ContainerMount): OciMount {
  if (mount.kind === "tmpfs") {
    const size = mount.sizeBytes === undefined ? [] : [`size=${mount.sizeBytes}`];
    const options = ["nosuid", "nodev", `mode=${(mount.mode ?? 0o1777).toString(8)}`, ...size];
    return { destination: mount.target, type: "tmpfs", source: "tmpfs", options };
  }
  if (mount.kind === "file system") return { destination: mount.target, type: mount.type, source: mount.source, options: mount.options };
  // rro makes file systems mounted below the source read-only as well, where ro alone would leave them writable. crun takes it for directories only.
  const access = mount.readonly ? ["ro", ...(mount.isFile === true ? [] : ["rro"])] : ["rw"];
  return { destination: mount.target, type: "bind", source: mount.source, options: ["rbind", "rprivate", ...access] };
}
