/** `extras.info` and `extras.diskUsage`, and what is asked once at opening. */
import { release } from "node:os";
import type { EngineClient } from "../../docker-api/engine-client.ts";
import type { EngineEndpoint } from "../../docker-api/endpoint.ts";
import type { DiskUsageReport, InfoReport } from "../../docker-api/system.ts";
import type { DiskUsage, RuntimeInfo } from "../../runtime/extras.ts";
import type { DockerContext, EngineFacts } from "./context.ts";
import { canonicalTag, imageDigest } from "./image-names.ts";
import { ownIdOf } from "./labels.ts";
import { instantOfSeconds, items, number, text, texts } from "./read.ts";

export async function engineFacts(client: EngineClient, endpoint: EngineEndpoint): Promise<EngineFacts> {
  const apiVersion = await client.apiVersion();
  const info = await client.object<InfoReport>("GET", "/info");
  return {
    name: text(info.Name) ?? "",
    serverVersion: text(info.ServerVersion) ?? "unknown",
    apiVersion,
    isPodman: text(info.BuildahVersion) !== undefined,
    memoryBytes: number(info.MemTotal) ?? Number.MAX_SAFE_INTEGER,
    cgroupVersion: text(info.CgroupVersion) ?? "1",
    cgroupDriver: text(info.CgroupDriver) ?? "",
    storageDriver: text(info.Driver) ?? "",
    rootDir: text(info.DockerRootDir) ?? "",
    operatingSystem: text(info.OperatingSystem) ?? "",
    architecture: text(info.Architecture) ?? "",
    cpus: number(info.NCPU) ?? 1,
    // A socket may lead into a virtual machine, whose kernel then is another one.
    sharesProcesses: endpoint.kind === "socket" && process.platform === "linux" && process.getuid?.() === 0 && info.KernelVersion === release(),
    warnings: texts(info.Warnings),
  };
}

export async function runtimeInfo({ client, facts }: DockerContext): Promise<RuntimeInfo> {
  return {
    backend: "docker",
    version: facts.serverVersion,
    facts: {
      endpoint: client.where,
      engine: facts.serverVersion,
      "api version": facts.apiVersion,
      host: facts.name,
      "operating system": facts.operatingSystem,
      architecture: facts.architecture,
      cpus: String(facts.cpus),
      memory: String(facts.memoryBytes),
      "storage driver": facts.storageDriver,
      "cgroup version": facts.cgroupVersion,
      "cgroup driver": facts.cgroupDriver,
      "root directory": facts.rootDir,
    },
    warnings: facts.warnings,
  };
}

/** Walking its directories takes an engine as long as it takes. */
export async function diskUsage({ client }: DockerContext, signal: AbortSignal | undefined): Promise<DiskUsage> {
  const found = await client.object<DiskUsageReport>("GET", "/system/df", { signal, timeoutMs: 0 });
  const positive = (value: number | null | undefined): number => Math.max(0, number(value) ?? 0);
  return {
    images: items(found.Images).map((image) => ({
      id: imageDigest(image.Id ?? ""),
      references: texts(image.RepoTags)
        .filter((tag) => tag !== "<none>:<none>")
        .map(canonicalTag),
      sizeBytes: positive(image.Size),
      sharedBytes: positive(image.SharedSize),
      containers: positive(image.Containers),
      created: instantOfSeconds(image.Created),
    })),
    containers: items(found.Containers).map((container) => ({
      hexId: container.Id ?? "",
      containerId: ownIdOf(container.Labels),
      name: text(items(container.Names)[0])?.replace(/^\//, ""),
      writableBytes: positive(container.SizeRw),
      running: container.State === "running" || container.State === "paused",
    })),
    volumes: items(found.Volumes).map((volume) => ({
      name: volume.Name ?? "",
      sizeBytes: positive(volume.UsageData?.Size),
      containers: positive(volume.UsageData?.RefCount),
    })),
    layersBytes: positive(found.LayersSize),
  };
}
