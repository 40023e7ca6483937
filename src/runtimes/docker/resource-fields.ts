/** Limits, restart policy and logs of a spec as Docker's host config. */
import type { DockerRestartPolicy, HostConfig } from "../../docker-api/host-config.ts";
import type { CompleteSpec, LogsConfig, RestartPolicy } from "../../spec/service-spec.ts";

const cpuPeriodUs = 100_000;

export function resourceFields({ resources }: CompleteSpec): HostConfig {
  return withoutAbsent({
    // Docker's NanoCpus would exclude a later change of period or quota alone.
    ...(resources.cpu === undefined ? {} : { CpuPeriod: cpuPeriodUs, CpuQuota: Math.max(1000, Math.round(resources.cpu * cpuPeriodUs)) }),
    Memory: resources.memory,
    MemorySwap: resources.memorySwap,
    MemoryReservation: resources.memoryReservation,
    MemorySwappiness: resources.memorySwappiness,
    CpusetCpus: resources.cpuset,
    CpuShares: resources.cpuShares,
    PidsLimit: resources.pidsLimit === undefined ? undefined : resources.pidsLimit <= 0 ? -1 : resources.pidsLimit,
    BlkioWeight: resources.blkioWeight,
    OomScoreAdj: resources.oomScoreAdj,
    OomKillDisable: resources.oomKillDisable,
  });
}

const restartNames = { no: "no", always: "always", unless_stopped: "unless-stopped", on_failure: "on-failure" } as const;

export function restartField(policy: RestartPolicy, warnings: string[]): DockerRestartPolicy {
  if (policy.delay !== undefined) warnings.push("restartPolicy.delay: the engine chooses the delay itself, from 100 ms doubling to a minute");
  return { Name: restartNames[policy.kind], ...(policy.maxAttempts === undefined ? {} : { MaximumRetryCount: policy.maxAttempts }) };
}

/** The driver is named, because the engine's own default may be one whose logs cannot be read. Its files share the size. */
export function logField(logs: LogsConfig, warnings: string[]): NonNullable<HostConfig["LogConfig"]> {
  if (logs.destination === "memory") warnings.push("logs.destination: the engine keeps logs on disk");
  if (logs.retentionSecs !== defaultRetentionSecs) warnings.push("logs.retentionSecs: the engine keeps logs until the container is removed");
  return {
    Type: "json-file",
    Config: { "max-size": String(Math.max(1, Math.ceil(logs.maxSizeBytes / logs.maxFiles))), "max-file": String(logs.maxFiles) },
  };
}

const defaultRetentionSecs = 604_800;

function withoutAbsent(fields: HostConfig): HostConfig {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
