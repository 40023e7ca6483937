/** `HostConfig` of inspect: limits as they are now, the rest as it was asked for. */
import type { ContainerCreateBody } from "../../docker-api/containers.ts";
import type { HostConfig } from "../../docker-api/host-config.ts";
import type { ContainerInspectDetails } from "../../runtime/types.ts";
import type { DeviceSpec, NetworkMode, ResourcesSpec, RestartPolicy, ServiceSpec, StorageSpec } from "../../spec/service-spec.ts";
import { maskedPaths, readonlyPaths } from "../../spec/hidden-paths.ts";
import { nanoCpus, parseSize } from "../../spec/units.ts";
import { portMap } from "./container-networks.ts";

export function hostConfigReport(details: ContainerInspectDetails, body: ContainerCreateBody | undefined): HostConfig {
  const spec: Partial<ServiceSpec> = details.spec ?? {};
  const asked = withoutEmpty(body?.HostConfig ?? {});
  return {
    ...defaults,
    ...fromSpec(details, spec),
    ...asked,
    ...limits(spec.resources ?? {}),
    ...cpuLimit(spec.resources ?? {}, asked),
    RestartPolicy: restartReport(spec.restartPolicy),
    ...mode(spec, asked),
  };
}

/** Fields the body left at `null` or empty say nothing about what is; the docker command sends them all. */
function withoutEmpty(host: HostConfig): HostConfig {
  const given = Object.fromEntries(Object.entries(host).filter(([, value]) => value !== null && value !== undefined && value !== ""));
  if (!host.LogConfig) return given;
  return { ...given, LogConfig: { Type: host.LogConfig.Type || "json-file", Config: host.LogConfig.Config ?? {} } };
}

function mode(spec: Partial<ServiceSpec>, asked: HostConfig): Pick<HostConfig, "NetworkMode"> {
  if (asked.NetworkMode && asked.NetworkMode !== "default") return { NetworkMode: asked.NetworkMode };
  return { NetworkMode: networkModeText(spec.networkMode) };
}

export function networkModeText(mode: NetworkMode | string | undefined): string {
  if (mode === undefined || typeof mode === "string") return mode === undefined || mode === "default" ? "bridge" : mode;
  if (mode.mode === "container") return `container:${mode.id}`;
  if (mode.mode === "bridge") return mode.name ?? "bridge";
  return mode.mode === "default" ? "bridge" : mode.mode;
}

function fromSpec(details: ContainerInspectDetails, spec: Partial<ServiceSpec>): HostConfig {
  return {
    Binds: binds(spec.storage ?? []),
    PortBindings: portMap(
      (spec.portMappings ?? []).map((port) => ({ ...port, protocol: port.protocol ?? "tcp" })),
      [],
    ),
    AutoRemove: spec.lifecycle?.deleteOnExit ?? false,
    CapAdd: listOrNull(spec.capabilities),
    CapDrop: listOrNull(spec.capDrop),
    Dns: spec.dns ?? [],
    DnsSearch: spec.dnsSearch ?? [],
    DnsOptions: spec.dnsOptions ?? [],
    ExtraHosts: listOrNull(spec.extraHosts),
    GroupAdd: listOrNull(spec.extraGroups),
    IpcMode: spec.ipcMode ?? "private",
    PidMode: spec.pidMode ?? "",
    Privileged: spec.privileged ?? false,
    ReadonlyRootfs: spec.readOnlyRootFs ?? false,
    SecurityOpt: listOrNull(spec.securityOpt),
    UsernsMode: spec.usernsMode ?? "",
    UTSMode: spec.utsMode ?? "",
    Sysctls: spec.sysctls ?? {},
    CgroupParent: spec.cgroupParent ?? "",
    Devices: (spec.devices ?? []).map(deviceReport),
    Ulimits: Object.entries(spec.ulimits ?? {}).map(([Name, { soft = 0, hard = soft }]) => ({ Name, Soft: soft, Hard: hard })),
    Tmpfs: tmpfs(spec.storage ?? []),
    ...(spec.initContainer === undefined ? {} : { Init: spec.initContainer }),
    Runtime: details.spec === undefined ? "" : "runc",
  };
}

const defaults: HostConfig = {
  Binds: null,
  ContainerIDFile: "",
  LogConfig: { Type: "json-file", Config: {} },
  VolumeDriver: "",
  VolumesFrom: null,
  ConsoleSize: [0, 0],
  CgroupnsMode: "private",
  Cgroup: "",
  Links: null,
  OomScoreAdj: 0,
  PublishAllPorts: false,
  ShmSize: 64 * 1024 * 1024,
  Isolation: "",
  BlkioWeightDevice: [],
  BlkioDeviceReadBps: [],
  BlkioDeviceWriteBps: [],
  BlkioDeviceReadIOps: [],
  BlkioDeviceWriteIOps: [],
  DeviceCgroupRules: null,
  DeviceRequests: null,
  MaskedPaths: [...maskedPaths],
  ReadonlyPaths: [...readonlyPaths],
};

function limits(resources: ResourcesSpec): HostConfig {
  const bytes = (value: number | string | undefined): number => (value === undefined ? 0 : typeof value === "number" ? value : parseSize(value));
  return {
    CpuShares: resources.cpuShares ?? 0,
    Memory: bytes(resources.memory),
    BlkioWeight: resources.blkioWeight ?? 0,
    CpuRealtimePeriod: 0,
    CpuRealtimeRuntime: 0,
    CpusetCpus: resources.cpuset ?? "",
    CpusetMems: "",
    MemoryReservation: bytes(resources.memoryReservation),
    MemorySwap: bytes(resources.memorySwap),
    MemorySwappiness: resources.memorySwappiness ?? null,
    OomScoreAdj: resources.oomScoreAdj ?? 0,
    OomKillDisable: resources.oomKillDisable ?? false,
    PidsLimit: resources.pidsLimit ?? null,
  };
}

/** How much it is says the spec, in which words the client. */
function cpuLimit({ cpu }: ResourcesSpec, asked: HostConfig): HostConfig {
  const { CpuPeriod: period = 0, CpuQuota: quota = 0 } = asked;
  if (period === 0 && quota === 0) return { NanoCpus: cpu === undefined ? 0 : nanoCpus(cpu), CpuPeriod: 0, CpuQuota: 0 };
  const limit = cpu === undefined ? Math.min(quota, 0) : Math.round(cpu * (period || defaultPeriodUs));
  return { NanoCpus: 0, CpuPeriod: period, CpuQuota: limit };
}

const defaultPeriodUs = 100_000;

const restartNames: Readonly<Record<RestartPolicy["kind"], string>> = {
  no: "no",
  always: "always",
  unless_stopped: "unless-stopped",
  on_failure: "on-failure",
};

function restartReport(policy: RestartPolicy | undefined): HostConfig["RestartPolicy"] {
  return { Name: restartNames[policy?.kind ?? "no"], MaximumRetryCount: policy?.maxAttempts ?? 0 };
}

function binds(storage: readonly StorageSpec[]): readonly string[] | null {
  return listOrNull(
    storage.flatMap((entry) => {
      if (entry.type === "bind") return [`${entry.source}:${entry.target}${entry.readonly ? ":ro" : ""}`];
      if (entry.type === "named" && !/^[0-9a-f]{64}$/.test(entry.name)) return [`${entry.name}:${entry.target}${entry.readonly ? ":ro" : ""}`];
      return [];
    }),
  );
}

function tmpfs(storage: readonly StorageSpec[]): Readonly<Record<string, string>> {
  const entries = storage.flatMap((entry) => (entry.type === "tmpfs" && entry.target !== "/dev/shm" ? [entry] : []));
  return Object.fromEntries(entries.map(({ target, size }) => [target, size === undefined ? "" : `size=${size}`]));
}

function deviceReport({ path, containerPath, read, write, mknod }: DeviceSpec): { PathOnHost: string; PathInContainer: string; CgroupPermissions: string } {
  const permissions = `${read ? "r" : ""}${write ? "w" : ""}${mknod ? "m" : ""}`;
  return { PathOnHost: path, PathInContainer: containerPath ?? path, CgroupPermissions: permissions || "rw" };
}

function listOrNull<T>(list: readonly T[] | undefined): readonly T[] | null {
  return list === undefined || list.length === 0 ? null : list;
}
