import type { ContainerCreateBody, MountPoint } from "../../docker-api/containers.ts";
import type { MountDetail } from "../../runtime/types.ts";

/** A tmpfs counts only where it was asked for as a mount: Docker leaves those of `Tmpfs` and of `ShmSize` out. */
export function mountPoints(mounts: readonly MountDetail[], body: ContainerCreateBody | undefined): readonly MountPoint[] {
  const asMounts = new Set((body?.HostConfig?.Mounts ?? []).map(({ Target }) => Target));
  return mounts.filter(({ type, target }) => type !== "tmpfs" || asMounts.has(target)).map(mountPoint);
}

function mountPoint({ type, name, source, target, readonly }: MountDetail): MountPoint {
  const common = { Destination: target, Mode: readonly ? "ro" : "", RW: !readonly };
  if (type === "volume") return { Type: type, Name: name, Source: source, ...common, Mode: readonly ? "ro" : "z", Driver: "local", Propagation: "" };
  if (type === "bind") return { Type: type, Source: source, ...common, Propagation: "rprivate" };
  return { Type: type, Source: "", ...common, Propagation: "" };
}
