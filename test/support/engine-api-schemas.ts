/**
 * What the Docker Engine API answers, version 1.47, written down from its reference (docs.docker.com/reference/api/engine/version/v1.47).
 * A key that is always sent is required, one that the reference does not know is refused. Lists and maps may be `null`: the reference's
 * engine is written in Go and sends its empty ones so.
 */
import { z } from "zod";

const text = z.string();
const flag = z.boolean();
const int = z.int();
const list = <T extends z.ZodType>(item: T) => z.array(item).nullable();
const map = <T extends z.ZodType>(item: T) => z.record(z.string(), item).nullable();
const texts = list(text);
const labels = map(text);
const hexId = z.string().regex(/^[0-9a-f]{64}$/);
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const time = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/);
const ipOrNone = z.string().regex(/^$|^[0-9.]+$|^[0-9a-f:]+$/);
const macOrNone = z.string().regex(/^$|^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
const restartPolicy = z.strictObject({ Name: z.enum(["", "no", "always", "unless-stopped", "on-failure"]), MaximumRetryCount: int });

const healthConfig = z.strictObject({
  Test: texts.optional(),
  Interval: int.optional(),
  Timeout: int.optional(),
  Retries: int.optional(),
  StartPeriod: int.optional(),
  StartInterval: int.optional(),
});

const endpointSettings = z.strictObject({
  IPAMConfig: z.strictObject({ IPv4Address: text.optional(), IPv6Address: text.optional(), LinkLocalIPs: texts.optional() }).nullable(),
  Links: texts,
  MacAddress: macOrNone,
  Aliases: texts,
  DriverOpts: labels,
  NetworkID: text,
  EndpointID: text,
  Gateway: ipOrNone,
  IPAddress: ipOrNone,
  IPPrefixLen: int,
  IPv6Gateway: ipOrNone,
  GlobalIPv6Address: ipOrNone,
  GlobalIPv6PrefixLen: int,
  DNSNames: texts,
});

const mountPoint = z.strictObject({
  Type: z.enum(["bind", "volume", "image", "tmpfs", "npipe", "cluster"]),
  Name: text.optional(),
  Source: text,
  Destination: text,
  Driver: text.optional(),
  Mode: text,
  RW: flag,
  Propagation: text,
});

const protocol = z.enum(["tcp", "udp", "sctp"]);
const containerState = z.enum(["created", "running", "paused", "restarting", "removing", "exited", "dead"]);

export const containerSummary = z.strictObject({
  Id: hexId,
  Names: z.array(z.string().regex(/^\//)),
  Image: text,
  ImageID: digest,
  Command: text,
  Created: int,
  Ports: z.array(z.strictObject({ IP: text.optional(), PrivatePort: int, PublicPort: int.optional(), Type: protocol })),
  SizeRw: int.optional(),
  SizeRootFs: int.optional(),
  Labels: z.record(z.string(), text),
  State: containerState,
  Status: text,
  HostConfig: z.strictObject({ NetworkMode: text, Annotations: labels.optional() }),
  NetworkSettings: z.strictObject({ Networks: z.record(z.string(), endpointSettings) }),
  Mounts: z.array(mountPoint),
});

const portMap = z.record(z.string().regex(/^\d+\/(tcp|udp|sctp)$/), list(z.strictObject({ HostIp: text, HostPort: text })));
const emptyObjects = map(z.strictObject({}));

/** Of a container, and of an image with what concerns only containers left empty. */
const config = z.strictObject({
  Hostname: text,
  Domainname: text,
  User: text,
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  ExposedPorts: emptyObjects.optional(),
  Tty: flag,
  OpenStdin: flag,
  StdinOnce: flag,
  Env: texts,
  Cmd: texts,
  Healthcheck: healthConfig.optional(),
  ArgsEscaped: flag.optional(),
  Image: text,
  Volumes: emptyObjects,
  WorkingDir: text,
  Entrypoint: texts,
  NetworkDisabled: flag.optional(),
  MacAddress: text.optional(),
  OnBuild: texts,
  Labels: labels,
  StopSignal: text.optional(),
  StopTimeout: int.optional(),
  Shell: texts.optional(),
});

const throttle = list(z.strictObject({ Path: text, Rate: int }));

const resources = {
  CpuShares: int,
  Memory: int,
  NanoCpus: int,
  CgroupParent: text,
  BlkioWeight: int,
  BlkioWeightDevice: list(z.strictObject({ Path: text, Weight: int })),
  BlkioDeviceReadBps: throttle,
  BlkioDeviceWriteBps: throttle,
  BlkioDeviceReadIOps: throttle,
  BlkioDeviceWriteIOps: throttle,
  CpuPeriod: int,
  CpuQuota: int,
  CpuRealtimePeriod: int,
  CpuRealtimeRuntime: int,
  CpusetCpus: text,
  CpusetMems: text,
  Devices: list(z.strictObject({ PathOnHost: text, PathInContainer: text, CgroupPermissions: text })),
  DeviceCgroupRules: texts,
  DeviceRequests: list(z.unknown()),
  KernelMemoryTCP: int.optional(),
  MemoryReservation: int,
  MemorySwap: int,
  MemorySwappiness: int.nullable(),
  OomKillDisable: flag.nullable(),
  Init: flag.nullable().optional(),
  PidsLimit: int.nullable(),
  Ulimits: list(z.strictObject({ Name: text, Soft: int, Hard: int })),
  CpuCount: int,
  CpuPercent: int,
  IOMaximumIOps: int,
  IOMaximumBandwidth: int,
};

const hostConfig = z.strictObject({
  ...resources,
  Binds: texts,
  ContainerIDFile: text,
  LogConfig: z.strictObject({ Type: z.enum(["json-file", "none"]), Config: labels }),
  NetworkMode: text,
  PortBindings: portMap.nullable(),
  RestartPolicy: restartPolicy,
  AutoRemove: flag,
  VolumeDriver: text,
  VolumesFrom: texts,
  Mounts: list(z.looseObject({ Type: text, Target: text })).optional(),
  ConsoleSize: z.tuple([int, int]),
  Annotations: labels.optional(),
  CapAdd: texts,
  CapDrop: texts,
  CgroupnsMode: z.enum(["private", "host"]),
  Dns: texts,
  DnsOptions: texts,
  DnsSearch: texts,
  ExtraHosts: texts,
  GroupAdd: texts,
  IpcMode: text,
  Cgroup: text,
  Links: texts,
  OomScoreAdj: int,
  PidMode: text,
  Privileged: flag,
  PublishAllPorts: flag,
  ReadonlyRootfs: flag,
  SecurityOpt: texts,
  StorageOpt: labels.optional(),
  Tmpfs: labels.optional(),
  UTSMode: text,
  UsernsMode: text,
  ShmSize: int,
  Sysctls: labels.optional(),
  Runtime: text,
  Isolation: text,
  MaskedPaths: texts,
  ReadonlyPaths: texts,
});

const driverData = z.strictObject({ Name: text, Data: labels });
const probe = z.strictObject({ Start: time, End: time, ExitCode: int, Output: text });

const stateReport = z.strictObject({
  Status: containerState,
  Running: flag,
  Paused: flag,
  Restarting: flag,
  OOMKilled: flag,
  Dead: flag,
  Pid: int,
  ExitCode: int,
  Error: text,
  StartedAt: time,
  FinishedAt: time,
  Health: z.strictObject({ Status: z.enum(["none", "starting", "healthy", "unhealthy"]), FailingStreak: int, Log: list(probe) }).optional(),
});

const address = list(z.strictObject({ Addr: text, PrefixLen: int }));

export const containerInspect = z.strictObject({
  Id: hexId,
  Created: time,
  Path: text,
  Args: z.array(text),
  State: stateReport,
  Image: digest,
  ResolvConfPath: text,
  HostnamePath: text,
  HostsPath: text,
  LogPath: text,
  Name: z.string().regex(/^\//),
  RestartCount: int,
  Driver: text,
  Platform: text,
  MountLabel: text,
  ProcessLabel: text,
  AppArmorProfile: text,
  ExecIDs: list(hexId),
  HostConfig: hostConfig,
  GraphDriver: driverData,
  SizeRw: int.optional(),
  SizeRootFs: int.optional(),
  Mounts: z.array(mountPoint),
  Config: config,
  NetworkSettings: z.strictObject({
    Bridge: text,
    SandboxID: text,
    SandboxKey: text,
    HairpinMode: flag,
    LinkLocalIPv6Address: text,
    LinkLocalIPv6PrefixLen: int,
    SecondaryIPAddresses: address,
    SecondaryIPv6Addresses: address,
    Ports: portMap,
    EndpointID: text,
    Gateway: ipOrNone,
    GlobalIPv6Address: ipOrNone,
    GlobalIPv6PrefixLen: int,
    IPAddress: ipOrNone,
    IPPrefixLen: int,
    IPv6Gateway: ipOrNone,
    MacAddress: macOrNone,
    Networks: z.record(z.string(), endpointSettings),
  }),
});

export const imageSummary = z.strictObject({
  Id: digest,
  ParentId: text,
  RepoTags: texts,
  RepoDigests: texts,
  Created: int,
  Size: int,
  SharedSize: int,
  Labels: labels,
  Containers: int,
  Manifests: list(z.unknown()).optional(),
});

/** `Container` and `ContainerConfig` went with 1.45; docker-compose 1 reads them whatever the version. */
export const imageInspect = z.strictObject({
  Container: text.optional(),
  ContainerConfig: config.optional(),
  Id: digest,
  RepoTags: z.array(text),
  RepoDigests: z.array(text),
  Parent: text,
  Comment: text,
  Created: time,
  DockerVersion: text,
  Author: text,
  Config: config,
  Architecture: text,
  Variant: text.optional(),
  Os: text,
  OsVersion: text.optional(),
  Size: int,
  GraphDriver: driverData,
  RootFS: z.strictObject({ Type: z.literal("layers"), Layers: z.array(digest).optional() }),
  Metadata: z.strictObject({ LastTagTime: time }),
});

export const imageHistory = z.array(z.strictObject({ Id: text, Created: int, CreatedBy: text, Tags: texts, Size: int, Comment: text }));

export const volume = z.strictObject({
  Name: text,
  Driver: text,
  Mountpoint: text,
  CreatedAt: time,
  Status: map(z.unknown()).optional(),
  Labels: labels,
  Scope: z.enum(["local", "global"]),
  Options: labels,
  UsageData: z.strictObject({ Size: int, RefCount: int }).nullable().optional(),
});

export const volumeList = z.strictObject({ Volumes: z.array(volume), Warnings: texts });

export const network = z.strictObject({
  Name: text,
  Id: hexId,
  Created: time,
  Scope: z.enum(["local", "swarm", "global"]),
  Driver: text,
  EnableIPv4: flag.optional(),
  EnableIPv6: flag,
  IPAM: z.strictObject({
    Driver: text,
    Config: list(z.strictObject({ Subnet: text.optional(), IPRange: text.optional(), Gateway: text.optional(), AuxiliaryAddresses: labels.optional() })),
    Options: labels,
  }),
  Internal: flag,
  Attachable: flag,
  Ingress: flag,
  ConfigFrom: z.strictObject({ Network: text }),
  ConfigOnly: flag,
  Containers: map(z.strictObject({ Name: text, EndpointID: text, MacAddress: macOrNone, IPv4Address: text, IPv6Address: text })),
  Options: labels,
  Labels: labels,
  Peers: list(z.unknown()).optional(),
});

const commit = z.strictObject({ ID: text, Expected: text.optional() });

export const systemInfo = z.strictObject({
  ID: text,
  Containers: int,
  ContainersRunning: int,
  ContainersPaused: int,
  ContainersStopped: int,
  Images: int,
  Driver: text,
  DriverStatus: list(z.array(text)),
  DockerRootDir: text,
  Plugins: z.strictObject({ Volume: texts, Network: texts, Authorization: texts, Log: texts }),
  MemoryLimit: flag,
  SwapLimit: flag,
  KernelMemoryTCP: flag.optional(),
  CpuCfsPeriod: flag,
  CpuCfsQuota: flag,
  CPUShares: flag,
  CPUSet: flag,
  PidsLimit: flag,
  OomKillDisable: flag,
  IPv4Forwarding: flag,
  BridgeNfIptables: flag,
  BridgeNfIp6tables: flag,
  Debug: flag,
  NFd: int,
  NGoroutines: int,
  SystemTime: time,
  LoggingDriver: text,
  CgroupDriver: z.enum(["cgroupfs", "systemd", "none"]),
  CgroupVersion: z.enum(["1", "2"]),
  NEventsListener: int,
  KernelVersion: text,
  OperatingSystem: text,
  OSVersion: text,
  OSType: text,
  Architecture: text,
  NCPU: int,
  MemTotal: int,
  IndexServerAddress: text,
  RegistryConfig: z
    .strictObject({
      AllowNondistributableArtifactsCIDRs: texts.optional(),
      AllowNondistributableArtifactsHostnames: texts.optional(),
      InsecureRegistryCIDRs: texts,
      IndexConfigs: map(z.strictObject({ Name: text, Mirrors: texts, Secure: flag, Official: flag })),
      Mirrors: texts,
    })
    .nullable(),
  GenericResources: list(z.unknown()),
  HttpProxy: text,
  HttpsProxy: text,
  NoProxy: text,
  Name: text,
  Labels: texts,
  ExperimentalBuild: flag,
  ServerVersion: text,
  Runtimes: map(z.strictObject({ path: text, runtimeArgs: texts.optional(), status: labels.optional() })),
  DefaultRuntime: text,
  Swarm: z.strictObject({
    NodeID: text,
    NodeAddr: text,
    LocalNodeState: z.enum(["", "inactive", "pending", "active", "error", "locked"]),
    ControlAvailable: flag,
    Error: text,
    RemoteManagers: list(z.unknown()),
    Nodes: int.nullable().optional(),
    Managers: int.nullable().optional(),
  }),
  LiveRestoreEnabled: flag,
  Isolation: text,
  InitBinary: text,
  ContainerdCommit: commit,
  RuncCommit: commit,
  InitCommit: commit,
  SecurityOptions: texts,
  ProductLicense: text.optional(),
  DefaultAddressPools: list(z.strictObject({ Base: text, Size: int })).optional(),
  Warnings: texts,
  CDISpecDirs: texts.optional(),
  Containerd: z
    .strictObject({ Address: text, Namespaces: z.strictObject({ Containers: text, Plugins: text }) })
    .nullable()
    .optional(),
});
