import type { DiskUsage } from "../../runtime/extras.ts";
import { sharedLayers } from "../../runtime/shared-layers.ts";
import { sizeOf } from "./volumes.ts";
import type { World } from "./world.ts";

/** What the simulated world would take on a disk. */
export function diskUsage(world: World): DiskUsage {
  const stored = world.images.all();
  const layersOf = (image: (typeof stored)[number]) =>
    image.config.rootfs.diffIds.map((key, index) => ({ key: `${key}`, sizeBytes: image.layerSizes[index] ?? 0 }));
  const { layersBytes, sharedBytes } = sharedLayers(stored.map((image) => ({ id: image.id, layers: layersOf(image) })));
  const containers = [...world.containers.values()];
  return {
    layersBytes,
    images: stored.map((image) => ({
      id: image.id,
      references: [...image.tags, ...image.repoDigests],
      sizeBytes: image.layerSizes.reduce((sum, size) => sum + size, 0),
      sharedBytes: sharedBytes(image.id),
      containers: containers.filter(({ setup }) => setup.image.id === image.id).length,
      created: image.config.created === undefined ? undefined : new Date(image.config.created),
    })),
    containers: containers.map(({ setup, name, files, isRunning }) => ({
      hexId: setup.hexId,
      containerId: setup.id,
      name,
      writableBytes: sizeOf(files),
      running: isRunning,
    })),
    volumes: world.volumes.list().map(({ name, files, users }) => ({ name, sizeBytes: sizeOf(files), containers: users.size })),
  };
}
