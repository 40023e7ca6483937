/** Containers: create, list, wait, update, top, changes, prune, attach and archive. */
import type { ContainerConfig } from "./container-config.ts";
import type { EndpointSettings, NetworkingConfig } from "./endpoint-settings.ts";
import type { DockerRestartPolicy, HostConfig, ResourceLimits } from "./host-config.ts";

/** `POST /containers/create?name=&platform=`. */
export interface ContainerCreateBody extends ContainerConfig {
  readonly HostConfig?: HostConfig | null | undefined;
  readonly NetworkingConfig?: NetworkingConfig | null | undefined;
}

export interface ContainerCreated {
  readonly Id: string;
  readonly Warnings: readonly string[];
}

export type ContainerStatusWord = "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead";

/** One of `GET /containers/json`. */
export interface ContainerSummary {
  readonly Id: string;
  /** With a leading slash. */
  readonly Names: readonly string[];
  readonly Image: string;
  readonly ImageID: string;
  readonly Command: string;
  /** Unix seconds. */
  readonly Created: number;
  readonly Ports: readonly PortSummary[];
  /** Only with `size`. */
  readonly SizeRw?: number | undefined;
  readonly SizeRootFs?: number | undefined;
  readonly Labels: Readonly<Record<string, string>>;
  readonly State: ContainerStatusWord | (string & {});
  /** For people: `Up 3 minutes (healthy)`. */
  readonly Status: string;
  readonly HostConfig: { readonly NetworkMode: string };
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, EndpointSettings>> };
  readonly Mounts: readonly MountPoint[];
}

export interface PortSummary {
  readonly IP?: string | undefined;
  readonly PrivatePort: number;
  readonly PublicPort?: number | undefined;
  readonly Type: "tcp" | "udp" | "sctp" | (string & {});
}

/** Of list and inspect. */
export interface MountPoint {
  readonly Type: "bind" | "volume" | "tmpfs" | (string & {});
  /** Of volumes. */
  readonly Name?: string | undefined;
  readonly Source: string;
  readonly Destination: string;
  readonly Driver?: string | undefined;
  readonly Mode: string;
  readonly RW: boolean;
  readonly Propagation: string;
}

/** `POST /containers/{id}/wait?condition=`. */
export interface ContainerWaitAnswer {
  readonly StatusCode: number;
  readonly Error?: { readonly Message: string } | null | undefined;
}

/** `POST /containers/{id}/update`. */
export interface ContainerUpdateBody extends ResourceLimits {
  readonly RestartPolicy?: DockerRestartPolicy | null | undefined;
}

export interface ContainerUpdated {
  readonly Warnings: readonly string[];
}

/** `GET /containers/{id}/top?ps_args=`. */
export interface ContainerTop {
  readonly Titles: readonly string[];
  readonly Processes: readonly (readonly string[])[];
}

/** One of `GET /containers/{id}/changes`; 0 modified, 1 added, 2 deleted. `null` instead of an empty list. */
export interface FilesystemChange {
  readonly Path: string;
  readonly Kind: 0 | 1 | 2;
}

export interface ContainersPruned {
  readonly ContainersDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}

/** `POST /commit` and `POST /containers/{id}/exec`. */
export interface IdAnswer {
  readonly Id: string;
}
