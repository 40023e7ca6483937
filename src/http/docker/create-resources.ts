/** Limits of `HostConfig` and of `POST /containers/{id}/update`. Zero means "not asked for" everywhere (contract A-11). */
import type { ContainerUpdateBody } from "../../docker-api/containers.ts";
import type { HostConfig } from "../../docker-api/host-config.ts";
import type { ResourcesSpec } from "../../spec/service-spec.ts";
import { HttpError } from "../status.ts";
import { restartOf } from "./create-policy.ts";
import type { ContainerResourceUpdate } from "../../runtime/resource-update.ts";

const minimumMemory = 6 * 1024 * 1024;
const cpuPeriodUs = 100_000;

export function resourcesOf(host: HostConfig, warnings: string[]): ResourcesSpec {
  checkLimits(host);
  for (const field of ["KernelMemory", "KernelMemoryTCP", "CpuRealtimePeriod", "CpuRealtimeRuntime"] as const) {
    if (host[field]) warnings.push(`HostConfig.${field} has no effect with this engine`);
  }
  const swappiness = host.MemorySwappiness;
  return {
    cpu: cpuOf(host),
    cpuShares: host.CpuShares || undefined,
    cpuset: cpusetOf(host, warnings),
    memory: host.Memory || undefined,
    memorySwap: host.MemorySwap || undefined,
    memoryReservation: host.MemoryReservation || undefined,
    memorySwappiness: swappiness == null || swappiness === -1 ? undefined : swappiness,
    pidsLimit: host.PidsLimit || undefined,
    blkioWeight: host.BlkioWeight || undefined,
    oomScoreAdj: host.OomScoreAdj || undefined,
    oomKillDisable: host.OomKillDisable || undefined,
    gpu: gpuOf(host),
  };
}

/** An update leaves out what shall stay. */
function checkLimits(host: HostConfig, isUpdate = false): void {
  const { Memory: memory = 0, MemorySwap: swap = 0, MemoryReservation: reservation = 0, NanoCpus: cpus = 0 } = host;
  if (memory !== 0 && memory < minimumMemory) throw new HttpError(400, "Minimum memory limit allowed is 6MB");
  if (swap > 0 && memory === 0 && !isUpdate) throw new HttpError(400, "You should always set the Memory limit when using Memoryswap limit, see usage");
  if (swap > 0 && memory > 0 && swap < memory) throw new HttpError(400, "Minimum memoryswap limit should be larger than memory limit, see usage");
  if (memory > 0 && reservation > memory) throw new HttpError(400, "Minimum memory limit can not be less than memory reservation limit, see usage");
  if (cpus < 0) throw new HttpError(400, "Range of CPUs must be positive");
  if (cpus > 0 && (host.CpuPeriod || host.CpuQuota)) throw new HttpError(400, "Conflicting options: Nano CPUs and CPU Period or Quota cannot both be set");
}

function cpuOf(host: HostConfig): number | undefined {
  if (host.NanoCpus) return host.NanoCpus / 1e9;
  return host.CpuQuota && host.CpuQuota > 0 ? host.CpuQuota / (host.CpuPeriod || cpuPeriodUs) : undefined;
}

function cpusetOf(host: HostConfig, warnings: string[]): string | undefined {
  if (host.CpusetMems) warnings.push("HostConfig.CpusetMems has no effect with this engine");
  return host.CpusetCpus || undefined;
}

function gpuOf(host: HostConfig): ResourcesSpec["gpu"] {
  const [request, ...others] = host.DeviceRequests ?? [];
  if (request === undefined) return undefined;
  const words = (request.Capabilities ?? []).flat();
  if (others.length > 0 || !words.includes("gpu")) {
    throw new HttpError(500, `could not select device driver "${request.Driver ?? ""}" with capabilities: [[${words.join(" ")}]]`);
  }
  return { count: request.DeviceIDs?.length || (request.Count ?? 1), vendor: request.Driver || "nvidia" };
}

export function updateOf(body: ContainerUpdateBody): ContainerResourceUpdate {
  checkLimits(body, true);
  const policy = body.RestartPolicy;
  restartOf({ RestartPolicy: policy });
  return {
    cpuShares: body.CpuShares || undefined,
    memory: body.Memory || undefined,
    cpuPeriod: body.NanoCpus ? cpuPeriodUs : body.CpuPeriod || undefined,
    cpuQuota: body.NanoCpus ? Math.round((body.NanoCpus / 1e9) * cpuPeriodUs) : body.CpuQuota || undefined,
    cpuRealtimePeriod: body.CpuRealtimePeriod || undefined,
    cpuRealtimeRuntime: body.CpuRealtimeRuntime || undefined,
    cpusetCpus: body.CpusetCpus || undefined,
    cpusetMems: body.CpusetMems || undefined,
    memoryReservation: body.MemoryReservation || undefined,
    memorySwap: body.MemorySwap || undefined,
    kernelMemory: body.KernelMemory || undefined,
    blkioWeight: body.BlkioWeight || undefined,
    pidsLimit: body.PidsLimit || undefined,
    restartPolicy: policy?.Name ? { name: policyName(policy.Name), maximumRetryCount: policy.MaximumRetryCount || undefined } : undefined,
  };
}

/** `restartOf` has refused every other word. */
function policyName(name: string): "no" | "always" | "unless-stopped" | "on-failure" {
  return name === "always" || name === "unless-stopped" || name === "on-failure" ? name : "no";
}

/** A limit of CPU is shown in the words it was asked for in: whole CPUs, or period and quota. */
export function cpuForm({ NanoCpus, CpuPeriod, CpuQuota }: HostConfig): HostConfig {
  if (NanoCpus) return { NanoCpus, CpuPeriod: 0, CpuQuota: 0 };
  if (!CpuPeriod && !CpuQuota) return {};
  return { NanoCpus: 0, ...(CpuPeriod ? { CpuPeriod } : {}), ...(CpuQuota ? { CpuQuota } : {}) };
}
