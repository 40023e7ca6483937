/** `GET /containers/{id}/json`. Times are RFC 3339; `0001-01-01T00:00:00Z` = never. */
import type { ContainerConfig } from "./container-config.ts";
import type { ContainerStatusWord, MountPoint } from "./containers.ts";
import type { EndpointSettings } from "./endpoint-settings.ts";
import type { HostConfig, PortMap } from "./host-config.ts";
import type { GraphDriverReport } from "./system.ts";

export interface ContainerInspect {
  readonly Id: string;
  readonly Created: string;
  readonly Path: string;
  readonly Args: readonly string[];
  readonly State: ContainerStateReport;
  /** Image id. */
  readonly Image: string;
  readonly ResolvConfPath: string;
  readonly HostnamePath: string;
  readonly HostsPath: string;
  readonly LogPath: string;
  /** With a leading slash. */
  readonly Name: string;
  readonly RestartCount: number;
  readonly Driver: string;
  readonly Platform: string;
  readonly MountLabel: string;
  readonly ProcessLabel: string;
  readonly AppArmorProfile: string;
  readonly ExecIDs: readonly string[] | null;
  readonly HostConfig: HostConfig;
  readonly GraphDriver: GraphDriverReport;
  readonly SizeRw?: number | undefined;
  readonly SizeRootFs?: number | undefined;
  readonly Mounts: readonly MountPoint[];
  readonly Config: ContainerConfig;
  readonly NetworkSettings: NetworkSettings;
}

export interface ContainerStateReport {
  readonly Status: ContainerStatusWord | (string & {});
  readonly Running: boolean;
  readonly Paused: boolean;
  readonly Restarting: boolean;
  readonly OOMKilled: boolean;
  readonly Dead: boolean;
  readonly Pid: number;
  readonly ExitCode: number;
  readonly Error: string;
  readonly StartedAt: string;
  readonly FinishedAt: string;
  readonly Health?: HealthReport | null | undefined;
}

export interface HealthReport {
  readonly Status: "none" | "starting" | "healthy" | "unhealthy" | (string & {});
  readonly FailingStreak: number;
  /** The last five, oldest first. */
  readonly Log: readonly { readonly Start: string; readonly End: string; readonly ExitCode: number; readonly Output: string }[] | null;
}

export interface NetworkSettings {
  readonly Bridge?: string | undefined;
  readonly SandboxID?: string | undefined;
  readonly SandboxKey?: string | undefined;
  readonly HairpinMode?: boolean | undefined;
  readonly LinkLocalIPv6Address?: string | undefined;
  readonly LinkLocalIPv6PrefixLen?: number | undefined;
  readonly SecondaryIPAddresses?: readonly { readonly Addr: string; readonly PrefixLen: number }[] | null | undefined;
  readonly SecondaryIPv6Addresses?: readonly { readonly Addr: string; readonly PrefixLen: number }[] | null | undefined;
  /** Empty when the container does not run. */
  readonly Ports: PortMap;
  /** Of the default bridge; deprecated by Docker in favour of `Networks`. */
  readonly EndpointID?: string | undefined;
  readonly Gateway?: string | undefined;
  readonly GlobalIPv6Address?: string | undefined;
  readonly GlobalIPv6PrefixLen?: number | undefined;
  readonly IPAddress?: string | undefined;
  readonly IPPrefixLen?: number | undefined;
  readonly IPv6Gateway?: string | undefined;
  readonly MacAddress?: string | undefined;
  readonly Networks: Readonly<Record<string, EndpointSettings>>;
}
