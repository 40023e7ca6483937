/** The engine itself: version, info, disk usage, auth, errors. */
import type { ContainerSummary } from "./containers.ts";
import type { ImageSummary } from "./images.ts";
import type { VolumeReport } from "./volumes.ts";

/** Body of every answer with status 400 or more. */
export interface ErrorAnswer {
  readonly message: string;
}

export interface GraphDriverReport {
  readonly Name: string;
  readonly Data: Readonly<Record<string, string>> | null;
}

/** `GET /version`. */
export interface VersionReport {
  readonly Platform: { readonly Name: string };
  readonly Components: readonly { readonly Name: string; readonly Version: string; readonly Details?: Readonly<Record<string, string>> | undefined }[];
  readonly Version: string;
  readonly ApiVersion: string;
  readonly MinAPIVersion: string;
  readonly GitCommit: string;
  readonly GoVersion: string;
  readonly Os: string;
  readonly Arch: string;
  readonly KernelVersion: string;
  readonly Experimental?: boolean | undefined;
  readonly BuildTime: string;
}

/** `GET /info`. */
export interface InfoReport {
  readonly ID: string;
  readonly Containers: number;
  readonly ContainersRunning: number;
  readonly ContainersPaused: number;
  readonly ContainersStopped: number;
  readonly Images: number;
  readonly Driver: string;
  readonly DriverStatus: readonly (readonly string[])[] | null;
  readonly DockerRootDir: string;
  readonly Plugins: {
    readonly Volume: readonly string[] | null;
    readonly Network: readonly string[] | null;
    readonly Authorization: readonly string[] | null;
    readonly Log: readonly string[] | null;
  };
  readonly MemoryLimit: boolean;
  readonly SwapLimit: boolean;
  readonly KernelMemory?: boolean | undefined;
  readonly KernelMemoryTCP?: boolean | undefined;
  readonly CpuCfsPeriod: boolean;
  readonly CpuCfsQuota: boolean;
  readonly CPUShares: boolean;
  readonly CPUSet: boolean;
  readonly PidsLimit: boolean;
  readonly OomKillDisable: boolean;
  readonly IPv4Forwarding: boolean;
  readonly BridgeNfIptables?: boolean | undefined;
  readonly BridgeNfIp6tables?: boolean | undefined;
  readonly Debug: boolean;
  readonly NFd: number;
  readonly NGoroutines: number;
  readonly SystemTime: string;
  readonly LoggingDriver: string;
  readonly CgroupDriver: "cgroupfs" | "systemd" | "none" | (string & {});
  readonly CgroupVersion: "1" | "2" | (string & {});
  readonly NEventsListener: number;
  readonly KernelVersion: string;
  readonly OperatingSystem: string;
  readonly OSVersion: string;
  readonly OSType: "linux" | "windows" | (string & {});
  /** As `uname -m`: `x86_64`, `aarch64`. */
  readonly Architecture: string;
  readonly NCPU: number;
  readonly MemTotal: number;
  readonly IndexServerAddress: string;
  readonly RegistryConfig: RegistryServiceConfig | null;
  readonly GenericResources: readonly unknown[] | null;
  readonly HttpProxy: string;
  readonly HttpsProxy: string;
  readonly NoProxy: string;
  readonly Name: string;
  readonly Labels: readonly string[] | null;
  readonly ExperimentalBuild: boolean;
  readonly ServerVersion: string;
  /** Podman only, which builds with it. */
  readonly BuildahVersion?: string | undefined;
  readonly Runtimes: Readonly<Record<string, { readonly path?: string | undefined; readonly runtimeArgs?: readonly string[] | null | undefined }>>;
  readonly DefaultRuntime: string;
  readonly Swarm: {
    readonly LocalNodeState: string;
    readonly NodeID?: string | undefined;
    readonly NodeAddr?: string | undefined;
    readonly ControlAvailable?: boolean | undefined;
    readonly Error?: string | undefined;
    readonly RemoteManagers?: null | undefined;
  };
  readonly LiveRestoreEnabled: boolean;
  readonly Isolation: string;
  readonly InitBinary: string;
  readonly ContainerdCommit: { readonly ID: string; readonly Expected?: string | undefined };
  readonly RuncCommit: { readonly ID: string; readonly Expected?: string | undefined };
  readonly InitCommit: { readonly ID: string; readonly Expected?: string | undefined };
  readonly SecurityOptions: readonly string[];
  readonly ProductLicense?: string | undefined;
  readonly DefaultAddressPools?: readonly { readonly Base: string; readonly Size: number }[] | undefined;
  readonly Warnings: readonly string[] | null;
}

export interface RegistryServiceConfig {
  readonly AllowNondistributableArtifactsCIDRs?: readonly string[] | undefined;
  readonly AllowNondistributableArtifactsHostnames?: readonly string[] | undefined;
  readonly InsecureRegistryCIDRs: readonly string[];
  readonly IndexConfigs: Readonly<
    Record<string, { readonly Name: string; readonly Mirrors: readonly string[]; readonly Secure: boolean; readonly Official: boolean }>
  >;
  readonly Mirrors: readonly string[];
}

/** `GET /system/df`. Without `type` everything. */
export interface DiskUsageReport {
  readonly LayersSize: number;
  readonly Images: readonly ImageSummary[] | null;
  readonly Containers: readonly ContainerSummary[] | null;
  readonly Volumes: readonly VolumeReport[] | null;
  readonly BuildCache: readonly unknown[] | null;
}

/** `POST /auth`. */
export interface AuthAnswer {
  readonly Status: string;
  readonly IdentityToken: string;
}
