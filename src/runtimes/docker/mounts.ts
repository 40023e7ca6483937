/** `storage` of a spec as Docker's mounts. */
import type { HostConfig, MountSpec } from "../../docker-api/host-config.ts";
import { BerthError } from "../../errors.ts";
import type { CompleteSpec, StorageSpec } from "../../spec/service-spec.ts";

/** Docker's own tmpfs mounts forbid to execute; ours do not (contract 1.3.3), which only the older field can say. */
export function storageFields(storage: CompleteSpec["storage"], warnings: string[]): Pick<HostConfig, "Mounts" | "Tmpfs"> {
  const mounts: MountSpec[] = [];
  const tmpfs: [string, string][] = [];
  for (const entry of storage) {
    if (entry.type === "tmpfs") tmpfs.push([entry.target, tmpfsOptions(entry)]);
    else mounts.push(mountOf(entry, warnings));
  }
  return { ...(mounts.length === 0 ? {} : { Mounts: mounts }), ...(tmpfs.length === 0 ? {} : { Tmpfs: Object.fromEntries(tmpfs) }) };
}

function mountOf(entry: Exclude<StorageSpec, { type: "tmpfs" }>, warnings: string[]): MountSpec {
  switch (entry.type) {
    case "bind":
      return { Type: "bind", Source: entry.source, Target: entry.target, ReadOnly: entry.readonly === true };
    case "named":
      if (entry.size !== undefined) warnings.push(`storage ${entry.target}: the engine's local volumes have no size limit; size is not applied`);
      return {
        Type: "volume",
        Source: entry.name,
        Target: entry.target,
        ReadOnly: entry.readonly === true,
        ...(entry.nocopy === true ? { VolumeOptions: { NoCopy: true } } : {}),
      };
    case "anonymous":
      return { Type: "volume", Target: entry.target };
    case "s3":
      throw new BerthError("unsupported", `storage ${entry.target}: the docker backend mounts no s3 buckets; mount the bucket on the host and bind it`);
  }
  return entry satisfies never;
}

function tmpfsOptions({ size, mode }: Extract<StorageSpec, { type: "tmpfs" }>): string {
  const own = [...(size === undefined ? [] : [`size=${size}`]), ...(mode === undefined ? [] : [`mode=${mode.toString(8)}`])];
  return ["rw", "nosuid", "nodev", "exec", ...own].join(",");
}
