/** The wire shape of `POST /containers/create` and of the parts other routes share with it. */
import type { ContainerCreateBody } from "../../docker-api/containers.ts";
import { checkShape, emptyObjects, type Shape, stringMap, strings } from "./wire-shape.ts";

const deviceRate: Shape = { list: { fields: { Path: "string", Rate: "integer" } } };

export const resourceFields: Readonly<Record<string, Shape>> = {
  CpuShares: "integer",
  Memory: "integer",
  NanoCpus: "integer",
  CgroupParent: "string",
  BlkioWeight: "integer",
  BlkioWeightDevice: { list: { fields: { Path: "string", Weight: "integer" } } },
  BlkioDeviceReadBps: deviceRate,
  BlkioDeviceWriteBps: deviceRate,
  BlkioDeviceReadIOps: deviceRate,
  BlkioDeviceWriteIOps: deviceRate,
  CpuPeriod: "integer",
  CpuQuota: "integer",
  CpuRealtimePeriod: "integer",
  CpuRealtimeRuntime: "integer",
  CpusetCpus: "string",
  CpusetMems: "string",
  Devices: { list: { fields: { PathOnHost: "string", PathInContainer: "string", CgroupPermissions: "string" } } },
  DeviceCgroupRules: strings,
  DeviceRequests: { list: { fields: { Driver: "string", Count: "integer", DeviceIDs: strings, Capabilities: { list: strings }, Options: stringMap } } },
  KernelMemory: "integer",
  KernelMemoryTCP: "integer",
  MemoryReservation: "integer",
  MemorySwap: "integer",
  MemorySwappiness: "integer",
  OomKillDisable: "boolean",
  PidsLimit: "integer",
  Ulimits: { list: { fields: { Name: "string", Soft: "integer", Hard: "integer" } } },
};

export const restartPolicyShape: Shape = { fields: { Name: "string", MaximumRetryCount: "integer" } };

const mountShape: Shape = {
  fields: {
    Type: "string",
    Target: "string",
    Source: "string",
    ReadOnly: "boolean",
    BindOptions: { fields: { Propagation: "string", NonRecursive: "boolean", CreateMountpoint: "boolean" } },
    VolumeOptions: {
      fields: { NoCopy: "boolean", Labels: stringMap, DriverConfig: { fields: { Name: "string", Options: stringMap } }, Subpath: "string" },
    },
    TmpfsOptions: { fields: { SizeBytes: "integer", Mode: "integer", Options: { list: strings } } },
  },
};

export const endpointShape: Shape = {
  fields: {
    IPAMConfig: { fields: { IPv4Address: "string", IPv6Address: "string", LinkLocalIPs: strings } },
    Links: strings,
    Aliases: strings,
    MacAddress: "string",
    DriverOpts: stringMap,
  },
};

const hostConfigShape: Shape = {
  fields: {
    ...resourceFields,
    Binds: strings,
    LogConfig: { fields: { Type: "string", Config: stringMap } },
    NetworkMode: "string",
    PortBindings: { map: { list: { fields: { HostIp: "string", HostPort: "string" } } } },
    RestartPolicy: restartPolicyShape,
    AutoRemove: "boolean",
    VolumeDriver: "string",
    VolumesFrom: strings,
    Mounts: { list: mountShape },
    ConsoleSize: { list: "integer" },
    Annotations: stringMap,
    CapAdd: strings,
    CapDrop: strings,
    CgroupnsMode: "string",
    Dns: strings,
    DnsOptions: strings,
    DnsSearch: strings,
    ExtraHosts: strings,
    GroupAdd: strings,
    IpcMode: "string",
    Links: strings,
    OomScoreAdj: "integer",
    PidMode: "string",
    Privileged: "boolean",
    PublishAllPorts: "boolean",
    ReadonlyRootfs: "boolean",
    SecurityOpt: strings,
    StorageOpt: stringMap,
    Tmpfs: stringMap,
    UTSMode: "string",
    UsernsMode: "string",
    ShmSize: "integer",
    Sysctls: stringMap,
    Runtime: "string",
    Init: "boolean",
    MaskedPaths: strings,
    ReadonlyPaths: strings,
  },
};

const configFields: Readonly<Record<string, Shape>> = {
  Hostname: "string",
  Domainname: "string",
  User: "string",
  AttachStdin: "boolean",
  AttachStdout: "boolean",
  AttachStderr: "boolean",
  ExposedPorts: emptyObjects,
  Tty: "boolean",
  OpenStdin: "boolean",
  StdinOnce: "boolean",
  Env: strings,
  Cmd: strings,
  Healthcheck: {
    fields: { Test: strings, Interval: "integer", Timeout: "integer", StartPeriod: "integer", StartInterval: "integer", Retries: "integer" },
  },
  Image: "string",
  Volumes: emptyObjects,
  WorkingDir: "string",
  Entrypoint: strings,
  NetworkDisabled: "boolean",
  MacAddress: "string",
  OnBuild: strings,
  Labels: stringMap,
  StopSignal: "string",
  StopTimeout: "integer",
  Shell: strings,
};

const createShape: Shape = {
  fields: { ...configFields, HostConfig: hostConfigShape, NetworkingConfig: { fields: { EndpointsConfig: { map: endpointShape } } } },
};

/** Throws 400 for a field of the wrong type. A command may be one string, which then is one word. */
export function readCreateBody(body: Readonly<Record<string, unknown>>): ContainerCreateBody {
  const normalised = { ...body, Cmd: words(body["Cmd"]), Entrypoint: words(body["Entrypoint"]) };
  checkShape(normalised, createShape, "");
  return normalised as ContainerCreateBody;
}

export function words(value: unknown): unknown {
  return typeof value === "string" ? [value] : value;
}
