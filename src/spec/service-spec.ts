import type { TargetPlatform } from "./platform.ts";

/**
 * What a container shall be (contract 1.3). Every field but `image` may be absent; `complete-spec.ts` fills the defaults
 * and validates. Times are milliseconds, sizes bytes unless a human-readable string is allowed.
 */
export interface ServiceSpec {
  readonly image: ImageSpec | string;
  readonly command?: CommandSpec | undefined;
  /** Plain values, `$E:NAME` for the engine's environment, `$S:name` for the secret store. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** `uid`, `uid:gid`, `name` or `name:group`, looked up in the container's own files. Default: the image's USER. */
  readonly user?: string | undefined;
  readonly extraGroups?: readonly string[] | undefined;
  readonly tty?: boolean | undefined;
  readonly stdinOpen?: boolean | undefined;
  /** Stdin ends with the input of the client that was attached first. Default true; at a terminal it never does. */
  readonly stdinOnce?: boolean | undefined;
  readonly initContainer?: boolean | undefined;
  readonly stopSignal?: string | undefined;
  /** Milliseconds, or a human string such as `30s`. */
  readonly stopGracePeriod?: number | string | undefined;
  readonly hostname?: string | undefined;
  readonly platform?: TargetPlatform | undefined;

  readonly networkMode?: NetworkMode | string | undefined;
  readonly hostNetwork?: boolean | undefined;
  /** Bridge networks beside that of `networkMode`, and settings of that one under its name. The first is the main one where no mode is given. */
  readonly networks?: readonly (string | NetworkAttachmentInput)[] | undefined;
  readonly portMappings?: readonly PortMappingInput[] | undefined;
  readonly endpoints?: readonly EndpointSpec[] | undefined;
  readonly expose?: readonly string[] | undefined;
  readonly dns?: readonly string[] | undefined;
  /** Berth addition: domains tried behind a name, instead of the host's; `.` for none. */
  readonly dnsSearch?: readonly string[] | undefined;
  /** Berth addition: options of resolv.conf(5) such as `ndots:2`, instead of the host's. */
  readonly dnsOptions?: readonly string[] | undefined;
  /** `hostname:ip`; the ip `host-gateway` is the host's side of the container's network. */
  readonly extraHosts?: readonly string[] | undefined;

  readonly storage?: readonly StorageSpec[] | undefined;

  readonly devices?: readonly DeviceSpec[] | undefined;
  readonly privileged?: boolean | undefined;
  readonly capabilities?: readonly string[] | undefined;
  readonly capDrop?: readonly string[] | undefined;
  readonly securityOpt?: readonly string[] | undefined;
  readonly readOnlyRootFs?: boolean | undefined;
  readonly usernsMode?: string | undefined;
  readonly pidMode?: string | undefined;
  readonly ipcMode?: string | undefined;
  /** Berth addition: `host` shares the host's name and domain, so that `hostname` cannot be given. */
  readonly utsMode?: "host" | undefined;
  readonly cgroupParent?: string | undefined;
  readonly sysctls?: Readonly<Record<string, string>> | undefined;
  readonly ulimits?: Readonly<Record<string, UlimitInput>> | undefined;

  readonly resources?: ResourcesSpec | undefined;

  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly lifecycle?: { readonly deleteOnExit?: boolean | undefined } | undefined;
  readonly restartPolicy?: RestartPolicy | undefined;
  readonly health?: HealthSpec | undefined;
  readonly logs?: Partial<LogsConfig> | undefined;
  readonly serviceType?: string | undefined;
}

export type PullPolicy = "always" | "newer" | "if_not_present" | "never";
export type SourcePolicy = "local_first" | "s3_first" | "remote_only" | "local_only";

export interface ImageSpec {
  readonly name: string;
  readonly pullPolicy?: PullPolicy | undefined;
  readonly sourcePolicy?: SourcePolicy | undefined;
}

/** Overrides of the image's ENTRYPOINT, CMD and WORKDIR (contract 1.3.1, "argv resolution"). */
export interface CommandSpec {
  readonly entrypoint?: readonly string[] | undefined;
  readonly args?: readonly string[] | undefined;
  readonly workdir?: string | undefined;
}

export type NetworkMode =
  | { readonly mode: "default" }
  | { readonly mode: "host" }
  | { readonly mode: "none" }
  | { readonly mode: "bridge"; readonly name?: string | undefined }
  | { readonly mode: "container"; readonly id: string };

/** A container's place in a network. Aliases, and resolving names at all, need a user-defined network. */
export interface NetworkAttachmentInput {
  readonly name: string;
  readonly aliases?: readonly string[] | undefined;
  /** Fixed addresses within the network's subnets; absent = any free ones. */
  readonly ipv4?: string | undefined;
  readonly ipv6?: string | undefined;
  readonly macAddress?: string | undefined;
}

export interface NetworkAttachment extends NetworkAttachmentInput {
  readonly aliases: readonly string[];
}

export interface PortMappingInput {
  readonly hostPort?: number | undefined;
  /** Berth addition: the first free port from `hostPort` to this one is taken. */
  readonly hostPortEnd?: number | undefined;
  readonly containerPort: number;
  readonly protocol?: "tcp" | "udp" | undefined;
  readonly hostIp?: string | undefined;
}

/** A published port. `hostPort` absent or 0 asks for a free one. */
export interface PortMapping {
  readonly hostPort?: number | undefined;
  /** Last of a range that begins with `hostPort`. */
  readonly hostPortEnd?: number | undefined;
  readonly containerPort: number;
  readonly protocol: "tcp" | "udp";
  readonly hostIp: string;
}

export interface EndpointSpec {
  readonly name: string;
  readonly protocol: "http" | "https" | "tcp" | "udp" | "websocket";
  readonly port: number;
  readonly targetPort?: number | undefined;
}

export type StorageTier = "local" | "cached" | "network";

export type StorageSpec =
  | { readonly type: "bind"; readonly source: string; readonly target: string; readonly readonly?: boolean | undefined }
  | {
      readonly type: "named";
      readonly name: string;
      readonly target: string;
      readonly readonly?: boolean | undefined;
      readonly tier?: StorageTier | undefined;
      readonly size?: number | string | undefined;
      /** Berth addition: an empty volume stays empty instead of getting the image's files. */
      readonly nocopy?: boolean | undefined;
    }
  | { readonly type: "anonymous"; readonly target: string; readonly tier?: StorageTier | undefined }
  | { readonly type: "tmpfs"; readonly target: string; readonly size?: number | string | undefined; readonly mode?: number | undefined }
  | {
      readonly type: "s3";
      readonly bucket: string;
      readonly prefix: string;
      readonly target: string;
      readonly readonly?: boolean | undefined;
      readonly endpoint?: string | undefined;
      readonly credentials?: string | undefined;
    };

/** A host device node, or a directory of them. None of read, write and mknod set means read and write. */
export interface DeviceSpec {
  readonly path: string;
  readonly containerPath?: string | undefined;
  readonly read?: boolean | undefined;
  readonly write?: boolean | undefined;
  readonly mknod?: boolean | undefined;
}

export interface UlimitInput {
  readonly soft?: number | undefined;
  readonly hard?: number | undefined;
}

export interface Ulimit {
  readonly soft: number;
  readonly hard: number;
}

/** Upper bounds (contract 1.3.5). Sizes are bytes or human strings such as `256Mi`. */
export interface ResourcesSpec {
  readonly cpu?: number | undefined;
  readonly memory?: number | string | undefined;
  /** Memory plus swap; `-1` = unlimited swap. Requires `memory`. */
  readonly memorySwap?: number | string | undefined;
  readonly memoryReservation?: number | string | undefined;
  readonly memorySwappiness?: number | undefined;
  readonly cpuset?: string | undefined;
  readonly cpuShares?: number | undefined;
  readonly pidsLimit?: number | undefined;
  readonly blkioWeight?: number | undefined;
  readonly oomScoreAdj?: number | undefined;
  readonly oomKillDisable?: boolean | undefined;
  readonly gpu?: { readonly count?: number | undefined; readonly vendor?: string | undefined } | undefined;
}

/** {@link ResourcesSpec} with sizes read into bytes. */
export interface Resources extends Omit<ResourcesSpec, "memory" | "memorySwap" | "memoryReservation"> {
  readonly memory?: number | undefined;
  readonly memorySwap?: number | undefined;
  readonly memoryReservation?: number | undefined;
}

export interface RestartPolicy {
  readonly kind: "no" | "always" | "unless_stopped" | "on_failure";
  /** Only for `on_failure`; absent or 0 = unlimited. */
  readonly maxAttempts?: number | undefined;
  /** First delay: milliseconds or a human string. */
  readonly delay?: number | string | undefined;
}

/** Times are milliseconds or human strings (contract 1.3.8). */
export interface HealthSpec {
  readonly startGrace?: number | string | undefined;
  readonly interval?: number | string | undefined;
  readonly timeout?: number | string | undefined;
  readonly retries?: number | undefined;
  readonly check:
    | { readonly type: "tcp"; readonly port: number }
    | { readonly type: "http"; readonly url: string; readonly expectStatus?: number | undefined }
    /** A text for the container's `sh -c`, or words that are run as they are. */
    | { readonly type: "command"; readonly command: string | readonly string[] }
    /** The image's command, with the times given here. */
    | { readonly type: "image" }
    /** Not even the image's HEALTHCHECK. */
    | { readonly type: "none" };
}

export interface LogsConfig {
  readonly destination: "disk" | "memory";
  /** Of all its files together. */
  readonly maxSizeBytes: number;
  /** In how many files it is kept, at least 2: the oldest goes as a whole. */
  readonly maxFiles: number;
  readonly retentionSecs: number;
}

/** A {@link ServiceSpec} after its one trip through `completeSpec`: every default filled, every value checked. */
export interface CompleteSpec {
  readonly image: { readonly name: string; readonly pullPolicy: PullPolicy; readonly sourcePolicy: SourcePolicy };
  readonly command: CommandSpec;
  readonly env: Readonly<Record<string, string>>;
  readonly user?: string | undefined;
  readonly extraGroups: readonly string[];
  readonly tty: boolean;
  readonly stdinOpen: boolean;
  /** `undefined` = true, as records of older versions have it. */
  readonly stdinOnce?: boolean | undefined;
  readonly initContainer: boolean;
  /** As written by the caller; `undefined` leaves it to the image. */
  readonly stopSignal?: string | undefined;
  readonly stopGracePeriodMs?: number | undefined;
  readonly hostname?: string | undefined;
  readonly platform?: TargetPlatform | undefined;
  readonly networkMode: NetworkMode;
  readonly hostNetwork: boolean;
  /** The main network first; empty in modes without one of their own. */
  readonly networks: readonly NetworkAttachment[];
  readonly portMappings: readonly PortMapping[];
  readonly endpoints: readonly EndpointSpec[];
  readonly expose: readonly string[];
  readonly dns: readonly string[];
  readonly dnsSearch?: readonly string[] | undefined;
  readonly dnsOptions?: readonly string[] | undefined;
  readonly extraHosts: readonly string[];
  /** Later entries have won over earlier ones with the same target. Sizes are bytes. */
  readonly storage: readonly StorageSpec[];
  readonly devices: readonly DeviceSpec[];
  readonly privileged: boolean;
  /** `CAP_…` names or `ALL`. */
  readonly capabilities: readonly string[];
  readonly capDrop: readonly string[];
  readonly securityOpt: readonly string[];
  readonly readOnlyRootFs: boolean;
  readonly usernsMode?: string | undefined;
  readonly pidMode?: string | undefined;
  readonly ipcMode?: string | undefined;
  readonly utsMode?: "host" | undefined;
  readonly cgroupParent?: string | undefined;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly ulimits: Readonly<Record<string, Ulimit>>;
  readonly resources: Resources;
  readonly labels: Readonly<Record<string, string>>;
  readonly deleteOnExit: boolean;
  readonly restartPolicy: RestartPolicy;
  readonly health?: HealthSpec | undefined;
  readonly logs: LogsConfig;
  readonly serviceType: string;
}
