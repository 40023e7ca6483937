/** GET /system/df */
import type { DiskUsageReport } from "../../docker-api/system.ts";
import { UnsupportedError } from "../../errors.ts";
import type { DiskUsage } from "../../runtime/extras.ts";
import type { Call } from "../call.ts";
import { HttpError } from "../status.ts";
import { containerSummaries } from "./container-list.ts";
import type { DockerEngine } from "./engine.ts";
import { familiar } from "./images.ts";
import { unixSeconds } from "./times.ts";
import { volumeReport } from "./volumes.ts";

const types = ["container", "image", "volume", "build-cache"];

export async function diskUsage(engine: DockerEngine, call: Call): Promise<void> {
  const asked = call.query.getAll("type").filter((type) => type !== "");
  for (const type of asked) if (!types.includes(type)) throw new HttpError(400, `unknown object type: ${type}`);
  const { diskUsage: measure } = engine.runtime.extras ?? {};
  if (measure === undefined) throw new UnsupportedError("diskUsage", engine.runtime.backend, "it does not measure its store");
  const usage = await measure({ signal: call.signal });
  const wants = (type: string): boolean => asked.length === 0 || asked.includes(type);
  const report: DiskUsageReport = {
    LayersSize: wants("image") ? usage.layersBytes : 0,
    Images: wants("image") ? imagesOf(usage) : null,
    Containers: wants("container") ? await containerSummaries(engine, { filters: {}, limit: -1, all: true, withSize: true }) : null,
    Volumes: wants("volume") ? await volumesReport(engine, usage) : null,
    BuildCache: wants("build-cache") ? [] : null,
  };
  call.answer(200, report);
}

function imagesOf(usage: DiskUsage): DiskUsageReport["Images"] {
  return usage.images.map((image) => ({
    Id: image.id,
    ParentId: "",
    RepoTags: familiar(image.references.filter((name) => !name.includes("@"))),
    RepoDigests: familiar(image.references.filter((name) => name.includes("@"))),
    Created: unixSeconds(image.created),
    Size: image.sizeBytes,
    SharedSize: image.sharedBytes,
    Labels: {},
    Containers: image.containers,
  }));
}

async function volumesReport(engine: DockerEngine, usage: DiskUsage): Promise<DiskUsageReport["Volumes"]> {
  const sizes = new Map(usage.volumes.map((volume) => [volume.name, volume]));
  const volumes = (await engine.runtime.extras?.volumes?.list()) ?? [];
  return volumes.map((volume) => {
    const size = sizes.get(volume.name);
    return { ...volumeReport(volume), UsageData: { Size: size?.sizeBytes ?? -1, RefCount: size?.containers ?? volume.usedBy.length } };
  });
}
