/** Binds, mounts, tmpfs and volumes of a create body. */
import type { ContainerCreateBody } from "../../docker-api/containers.ts";
import type { MountSpec } from "../../docker-api/host-config.ts";
import type { StorageSpec } from "../../spec/service-spec.ts";
import { parseSize } from "../../spec/units.ts";
import { HttpError } from "../status.ts";

const defaultShmBytes = 64 * 1024 * 1024;

/** Options of a bind that change nothing on the hosts we run on. */
const hints = new Set(["", "z", "Z", "cached", "delegated", "consistent", "rprivate", "private", "nocopy", "volume-nocopy", "rbind"]);

export function storageOf(body: ContainerCreateBody, warnings: string[]): readonly StorageSpec[] {
  const host = body.HostConfig ?? {};
  const binds = (host.Binds ?? []).map((text) => parseBind(text, warnings));
  const mounts = (host.Mounts ?? []).map(mountOf);
  const tmpfs = Object.entries(host.Tmpfs ?? {}).map(([target, options]) => tmpfsOf(target, options));
  const named = [...shmOf(host.ShmSize), ...binds, ...mounts, ...tmpfs];
  const taken = new Set(named.map(({ target }) => target));
  const anonymous = Object.keys(body.Volumes ?? {}).filter((target) => !taken.has(target));
  return [...anonymous.map((target): StorageSpec => ({ type: "anonymous", target: absolute(target, target) })), ...named];
}

/** Directories of the host that Docker makes when they are missing: those of `Binds`, and of mounts that ask for it. */
export function bindSourcesToMake(body: ContainerCreateBody): readonly string[] {
  const host = body.HostConfig ?? {};
  const binds = (host.Binds ?? []).map((text) => text.split(":")[0] ?? "").filter((source) => source.startsWith("/"));
  const mounts = (host.Mounts ?? []).filter((mount) => mount.Type === "bind" && mount.BindOptions?.CreateMountpoint === true);
  return [...binds, ...mounts.map((mount) => mount.Source ?? "")];
}

export function parseBind(text: string, warnings: string[]): StorageSpec {
  const parts = text.split(":");
  if (parts.length > 3 || parts.some((part) => part === "")) throw new HttpError(400, `invalid volume specification: '${text}'`);
  if (parts.length === 1) return { type: "anonymous", target: absolute(text, text) };
  const [source = "", target = "", options = ""] = parts;
  const readonly = isReadonly(text, options, warnings);
  const isEmpty = options.split(",").some((option) => option === "nocopy" || option === "volume-nocopy");
  if (!source.startsWith("/")) return { type: "named", name: source, target: absolute(text, target), readonly, ...nocopy(isEmpty) };
  return { type: "bind", source, target: absolute(text, target), readonly };
}

function isReadonly(text: string, options: string, warnings: string[]): boolean {
  let readonly = false;
  for (const option of options.split(",")) {
    if (option === "ro" || option === "rw") readonly = option === "ro";
    else if (/^r?(shared|slave)$/.test(option)) warnings.push(`bind ${text}: mount propagation ${option} has no effect with this engine`);
    else if (!hints.has(option)) throw new HttpError(400, `invalid mode: ${options}`);
  }
  return readonly;
}

function absolute(text: string, target: string): string {
  if (!target.startsWith("/")) throw new HttpError(400, `invalid volume specification: '${text}': invalid mount path: '${target}' mount path must be absolute`);
  return target;
}

function mountOf(mount: MountSpec): StorageSpec {
  const { Type: type = "", Source: source = "", Target: target = "", ReadOnly: readonly = false } = mount;
  if (!target.startsWith("/")) throw new HttpError(400, `invalid mount config for type "${type}": invalid mount path: '${target}' mount path must be absolute`);
  switch (type) {
    case "bind":
      if (!source.startsWith("/"))
        throw new HttpError(400, `invalid mount config for type "bind": invalid mount path: '${source}' mount path must be absolute`);
      return { type: "bind", source, target, readonly };
    case "volume":
      if (mount.VolumeOptions?.Subpath) throw new HttpError(400, 'invalid mount config for type "volume": VolumeOptions.Subpath is not supported');
      return source === "" ? { type: "anonymous", target } : { type: "named", name: source, target, readonly, ...nocopy(mount.VolumeOptions?.NoCopy) };
    case "tmpfs":
      if (source !== "") throw new HttpError(400, 'invalid mount config for type "tmpfs": field Source must not be specified');
      return { type: "tmpfs", target, size: mount.TmpfsOptions?.SizeBytes || undefined, mode: mount.TmpfsOptions?.Mode || undefined };
    default:
      throw new HttpError(400, `invalid mount config: unknown mount type ${JSON.stringify(type)}`);
  }
}

function nocopy(isSet: boolean | undefined): { readonly nocopy?: true } {
  return isSet ? { nocopy: true } : {};
}

function tmpfsOf(target: string, options: string): StorageSpec {
  let size: number | undefined;
  let mode: number | undefined;
  for (const option of options.split(",").filter((text) => text !== "")) {
    const [key = "", value = ""] = option.split("=", 2);
    if (key === "size") size = parseSize(value);
    else if (key === "mode" && /^[0-7]{1,5}$/.test(value)) mode = Number.parseInt(value, 8);
    else if (!tmpfsFlags.has(key)) throw new HttpError(400, `invalid tmpfs option ${JSON.stringify(option)} for ${target}`);
  }
  return { type: "tmpfs", target: absolute(target, target), size, mode };
}

const tmpfsFlags = new Set(["rw", "noexec", "nosuid", "nodev", "exec", "suid", "dev", "sync", "async", "noatime"]);

function shmOf(bytes: number | undefined): StorageSpec[] {
  if (bytes === undefined || bytes === 0 || bytes === defaultShmBytes) return [];
  if (bytes < 0) throw new HttpError(400, "SHM size can not be less than 0");
  return [{ type: "tmpfs", target: "/dev/shm", size: bytes, mode: 0o1777 }];
}
