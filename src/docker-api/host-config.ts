/** How the host treats a container: `HostConfig` of create and inspect. */

export interface PortBinding {
  readonly HostIp?: string | undefined;
  /** Decimal, `""` or `"0"` = ephemeral; a range `8000-8010` in a create body. */
  readonly HostPort?: string | undefined;
}

/** `80/tcp` → where it is published; `null` in inspect = exposed only. */
export type PortMap = Readonly<Record<string, readonly PortBinding[] | null>>;

export interface ResourceLimits {
  readonly CpuShares?: number | undefined;
  /** Bytes. */
  readonly Memory?: number | undefined;
  readonly NanoCpus?: number | undefined;
  readonly CgroupParent?: string | undefined;
  readonly BlkioWeight?: number | undefined;
  readonly BlkioWeightDevice?: readonly { readonly Path: string; readonly Weight: number }[] | null | undefined;
  readonly BlkioDeviceReadBps?: readonly DeviceRate[] | null | undefined;
  readonly BlkioDeviceWriteBps?: readonly DeviceRate[] | null | undefined;
  readonly BlkioDeviceReadIOps?: readonly DeviceRate[] | null | undefined;
  readonly BlkioDeviceWriteIOps?: readonly DeviceRate[] | null | undefined;
  /** Microseconds. */
  readonly CpuPeriod?: number | undefined;
  readonly CpuQuota?: number | undefined;
  readonly CpuRealtimePeriod?: number | undefined;
  readonly CpuRealtimeRuntime?: number | undefined;
  readonly CpusetCpus?: string | undefined;
  readonly CpusetMems?: string | undefined;
  readonly Devices?: readonly DeviceMapping[] | null | undefined;
  readonly DeviceCgroupRules?: readonly string[] | null | undefined;
  readonly DeviceRequests?: readonly DeviceRequest[] | null | undefined;
  readonly KernelMemory?: number | undefined;
  readonly KernelMemoryTCP?: number | undefined;
  readonly MemoryReservation?: number | undefined;
  /** Memory plus swap in bytes, -1 = unlimited. */
  readonly MemorySwap?: number | undefined;
  /** -1 and `null` = the kernel's. */
  readonly MemorySwappiness?: number | null | undefined;
  readonly OomKillDisable?: boolean | null | undefined;
  readonly PidsLimit?: number | null | undefined;
  readonly Ulimits?: readonly { readonly Name: string; readonly Soft: number; readonly Hard: number }[] | null | undefined;
  /** Windows. */
  readonly CpuCount?: number | undefined;
  readonly CpuPercent?: number | undefined;
  readonly IOMaximumIOps?: number | undefined;
  readonly IOMaximumBandwidth?: number | undefined;
}

export interface DeviceRate {
  readonly Path: string;
  readonly Rate: number;
}

export interface DeviceMapping {
  readonly PathOnHost: string;
  readonly PathInContainer: string;
  /** Out of `r`, `w`, `m`. */
  readonly CgroupPermissions: string;
}

export interface DeviceRequest {
  readonly Driver?: string | undefined;
  /** -1 = all. Either this or `DeviceIDs`. */
  readonly Count?: number | undefined;
  readonly DeviceIDs?: readonly string[] | null | undefined;
  /** Any of the inner lists, all of its words. */
  readonly Capabilities?: readonly (readonly string[])[] | null | undefined;
  readonly Options?: Readonly<Record<string, string>> | null | undefined;
}

export interface DockerRestartPolicy {
  readonly Name?: "" | "no" | "always" | "unless-stopped" | "on-failure" | (string & {}) | undefined;
  readonly MaximumRetryCount?: number | undefined;
}

export interface MountSpec {
  readonly Type?: "bind" | "volume" | "tmpfs" | "npipe" | "cluster" | "image" | (string & {}) | undefined;
  readonly Target?: string | undefined;
  /** Host path or volume name; absent = an anonymous volume. */
  readonly Source?: string | undefined;
  readonly ReadOnly?: boolean | undefined;
  readonly Consistency?: string | undefined;
  readonly BindOptions?:
    | {
        readonly Propagation?: string | undefined;
        readonly NonRecursive?: boolean | undefined;
        readonly CreateMountpoint?: boolean | undefined;
        readonly ReadOnlyNonRecursive?: boolean | undefined;
        readonly ReadOnlyForceRecursive?: boolean | undefined;
      }
    | null
    | undefined;
  readonly VolumeOptions?:
    | {
        readonly NoCopy?: boolean | undefined;
        readonly Labels?: Readonly<Record<string, string>> | null | undefined;
        readonly DriverConfig?:
          | { readonly Name?: string | undefined; readonly Options?: Readonly<Record<string, string>> | null | undefined }
          | null
          | undefined;
        readonly Subpath?: string | undefined;
      }
    | null
    | undefined;
  readonly TmpfsOptions?:
    | {
        readonly SizeBytes?: number | undefined;
        /** `st_mode` permission bits. */
        readonly Mode?: number | undefined;
        readonly Options?: readonly (readonly string[])[] | undefined;
      }
    | null
    | undefined;
}

export interface HostConfig extends ResourceLimits {
  /** `source:target[:options]`. */
  readonly Binds?: readonly string[] | null | undefined;
  readonly ContainerIDFile?: string | undefined;
  readonly LogConfig?: { readonly Type?: string | undefined; readonly Config?: Readonly<Record<string, string>> | null | undefined } | null | undefined;
  /** `default`, `bridge`, `host`, `none`, `container:<id>` or a network's name. */
  readonly NetworkMode?: string | undefined;
  readonly PortBindings?: PortMap | null | undefined;
  readonly RestartPolicy?: DockerRestartPolicy | null | undefined;
  readonly AutoRemove?: boolean | undefined;
  readonly VolumeDriver?: string | undefined;
  readonly VolumesFrom?: readonly string[] | null | undefined;
  readonly Mounts?: readonly MountSpec[] | null | undefined;
  readonly ConsoleSize?: readonly number[] | null | undefined;
  readonly Annotations?: Readonly<Record<string, string>> | null | undefined;
  readonly CapAdd?: readonly string[] | null | undefined;
  readonly CapDrop?: readonly string[] | null | undefined;
  readonly CgroupnsMode?: "" | "private" | "host" | (string & {}) | undefined;
  readonly Dns?: readonly string[] | null | undefined;
  readonly DnsOptions?: readonly string[] | null | undefined;
  readonly DnsSearch?: readonly string[] | null | undefined;
  /** `host:ip`. */
  readonly ExtraHosts?: readonly string[] | null | undefined;
  readonly GroupAdd?: readonly string[] | null | undefined;
  readonly IpcMode?: string | undefined;
  readonly Cgroup?: string | undefined;
  readonly Links?: readonly string[] | null | undefined;
  readonly OomScoreAdj?: number | undefined;
  readonly PidMode?: string | undefined;
  readonly Privileged?: boolean | undefined;
  readonly PublishAllPorts?: boolean | undefined;
  readonly ReadonlyRootfs?: boolean | undefined;
  readonly SecurityOpt?: readonly string[] | null | undefined;
  readonly StorageOpt?: Readonly<Record<string, string>> | null | undefined;
  /** Target → options of `mount -t tmpfs`. */
  readonly Tmpfs?: Readonly<Record<string, string>> | null | undefined;
  readonly UTSMode?: string | undefined;
  readonly UsernsMode?: string | undefined;
  readonly ShmSize?: number | undefined;
  readonly Sysctls?: Readonly<Record<string, string>> | null | undefined;
  readonly Runtime?: string | undefined;
  readonly Isolation?: string | undefined;
  readonly Init?: boolean | null | undefined;
  readonly MaskedPaths?: readonly string[] | null | undefined;
  readonly ReadonlyPaths?: readonly string[] | null | undefined;
}
