/** POST /system/prune: not a route of Docker's, which prunes kind by kind. */
import { boolParam } from "../query.ts";
import type { Call } from "../call.ts";
import type { DockerEngine } from "./engine.ts";

export async function systemPrune(engine: DockerEngine, call: Call): Promise<void> {
  const { runtime } = engine;
  const all = boolParam(call.query, "all");
  const containers = await runtime.pruneContainers();
  const networks = await runtime.extras?.networks?.prune();
  const volumes = boolParam(call.query, "volumes") ? await runtime.extras?.volumes?.prune({ all }) : undefined;
  const images = await runtime.pruneImages({ all });
  call.answer(200, {
    ContainersDeleted: containers.deleted,
    NetworksDeleted: networks?.deleted ?? [],
    VolumesDeleted: volumes?.deleted ?? [],
    ImagesDeleted: images.deleted,
    SpaceReclaimed: containers.spaceReclaimed + (volumes?.spaceReclaimed ?? 0) + images.spaceReclaimed,
  });
}
