/** POST /system/prune: not a route of Docker's, which prunes kind by kind. */
import { pruneEverything } from "../../engine/prune.ts";
import { boolParam } from "../query.ts";
import type { Call } from "../call.ts";
import type { DockerEngine } from "./engine.ts";

export async function systemPrune(engine: DockerEngine, call: Call): Promise<void> {
  const { runtime } = engine;
  const all = boolParam(call.query, "all");
  const pruned = await pruneEverything(runtime, { all, volumes: boolParam(call.query, "volumes") });
  call.answer(200, {
    ContainersDeleted: pruned.containers,
    NetworksDeleted: pruned.networks,
    VolumesDeleted: pruned.volumes,
    ImagesDeleted: pruned.images,
    SpaceReclaimed: pruned.spaceReclaimed,
  });
}
