import type { ContainerCreateBody } from "../../docker-api/containers.ts";
import { HttpError } from "../status.ts";
import { withContainer } from "./container-ref.ts";
import type { DockerEngine } from "./engine.ts";

/** `VolumesFrom` as binds: the volumes and binds of other containers at the same places. Own mounts win. */
export async function withVolumesFrom(engine: DockerEngine, body: ContainerCreateBody): Promise<ContainerCreateBody> {
  const from = body.HostConfig?.VolumesFrom ?? [];
  if (from.length === 0) return body;
  const binds: string[] = [];
  for (const text of from) {
    const [ref = "", mode = ""] = text.split(":", 2);
    if (ref === "" || !["", "ro", "rw", "z", "Z"].includes(mode)) throw new HttpError(400, `invalid VolumesFrom ${JSON.stringify(text)}`);
    const { mounts = [] } = await withContainer(engine, ref, ({ id }) => engine.runtime.inspectDetailed(id));
    for (const mount of mounts) {
      if (mount.type === "tmpfs") continue;
      const options = mode === "ro" || mount.readonly ? ":ro" : "";
      binds.push(`${mount.type === "volume" ? mount.name : mount.source}:${mount.target}${options}`);
    }
  }
  return { ...body, HostConfig: { ...body.HostConfig, Binds: [...binds, ...(body.HostConfig?.Binds ?? [])] } };
}
