/** `extras.diskUsage`: sizes of layers are on record, those of writable layers and volumes are measured in a thread. */
import { sizesOfTrees } from "../../internal/tree-size.ts";
import type { DiskUsage } from "../../runtime/extras.ts";
import { sharedLayers } from "../../runtime/shared-layers.ts";
import { type NativeContext, pathsOf } from "./context.ts";
import { isRunning, settle } from "./run-state.ts";

export async function diskUsage(ctx: NativeContext, signal: AbortSignal | undefined): Promise<DiskUsage> {
  signal?.throwIfAborted();
  const records = ctx.store.list().map((record) => settle(ctx, record));
  const volumes = ctx.volumes.records.list();
  const uppers = records.map((record) => pathsOf(ctx, record.facts.id).upper);
  const sizes = await sizesOfTrees([...uppers, ...volumes.map(({ name }) => ctx.volumes.path(name))], signal);
  const { images, layersBytes } = imagesOf(ctx, (id) => records.filter(({ imageId }) => imageId === id).length);
  return {
    images,
    layersBytes,
    containers: records.map((record, index) => ({
      hexId: record.hexId,
      containerId: record.facts.id,
      name: record.name,
      writableBytes: sizes[index] ?? 0,
      running: isRunning(record),
    })),
    volumes: volumes.map(({ name }, index) => ({
      name,
      sizeBytes: sizes[records.length + index] ?? 0,
      containers: ctx.volumes.records.usersOf(name).length,
    })),
  };
}

function imagesOf(ctx: NativeContext, containersOf: (id: string) => number): Pick<DiskUsage, "images" | "layersBytes"> {
  const images = ctx.images.list();
  const layered = images.map((image) => {
    // The directory of a layer is what images share; its sizes are listed from the base up, its paths from the top down.
    const paths = ctx.images.layerPaths(image).toReversed();
    return { id: image.id, layers: ctx.images.layerSizes(image).map((sizeBytes, index) => ({ key: paths[index] ?? "", sizeBytes })) };
  });
  const { layersBytes, sharedBytes } = sharedLayers(layered);
  return {
    layersBytes,
    images: images.map((image) => ({
      id: image.id,
      references: [...image.names, ...image.repoDigests],
      sizeBytes: image.sizeBytes,
      sharedBytes: sharedBytes(image.id),
      containers: containersOf(image.id),
      created: image.config.created === undefined ? undefined : new Date(image.config.created),
    })),
  };
}
