/**
 * What a full engine offers beside the 49 methods (contract Appendix B): the main process's terminal, exec handles, push,
 * events, volumes, networks and disk usage. Every member is optional; absent means that the backend has none of it.
 */
import type { ContainerId } from "../spec/container-id.ts";
import type { HealthPlan } from "../spec/health-plan.ts";
import type { Descriptor } from "../spec/descriptor.ts";
import type { TargetPlatform } from "../spec/platform.ts";
import type {
  AttachHandle,
  AttachOptions,
  CallOptions,
  ContainerInspectDetails,
  ExecHandle,
  ExecOptions,
  HealthDetail,
  PullProgress,
  RegistryAuth,
  RuntimeContainerSummary,
} from "./types.ts";

export interface RuntimeExtras {
  /** Connects to the main process of a created or running container. Connect before `startContainer` to miss nothing. */
  attachContainer?(id: ContainerId, o?: AttachOptions): Promise<AttachHandle>;
  /** Size of the main process's terminal. Not running or without a terminal: `conflict`. */
  resizeContainer?(id: ContainerId, rows: number, cols: number, o?: CallOptions): Promise<void>;
  /** Stops it if it runs, and starts it; told as `restart` on top. Errors as of the two. */
  restartContainer?(id: ContainerId, o?: CallOptions & { readonly timeoutMs?: number | undefined; readonly stopSignal?: string | undefined }): Promise<void>;
  /** A further process as a handle that can be killed and says how it ended. Errors as `execPty`. */
  openExec?(id: ContainerId, options: ExecProcessOptions, o?: CallOptions): Promise<ExecProcess>;
  /** Sends an image to the registry its reference names. Exactly one `done`, last, on success. */
  pushImage?(image: string, auth?: RegistryAuth, o?: CallOptions): Promise<AsyncIterable<PullProgress>>;
  /** Asks the registry, not the store, what a reference names and for which platforms. */
  resolveImage?(image: string, auth?: RegistryAuth, o?: CallOptions): Promise<ResolvedImage>;
  /** Whether a registry (`host[:port]`, empty for Docker Hub) takes these credentials. Rejects only when that cannot be found out. */
  checkLogin?(server: string, auth: RegistryAuth, o?: CallOptions): Promise<boolean>;
  /** Every container with its details: what `listContainers` and `inspectDetailed` of each answer, as of one moment. */
  listDetailed?(o?: CallOptions): Promise<readonly DetailedContainer[]>;
  /** From now on, or from `since` on without gap or duplicate; ends after `until`, else goes on. */
  events?(o?: EventsOptions): Promise<AsyncIterable<RuntimeEvent>>;
  /** What the backend keeps on disk. Walks directories: seconds on a large store. */
  diskUsage?(o?: CallOptions): Promise<DiskUsage>;
  readonly volumes?: VolumesFacet;
  readonly networks?: NetworksFacet;
  readonly credentials?: CredentialsFacet;
  readonly secrets?: SecretsFacet;
  readonly supervision?: SupervisionFacet;
  info?(): Promise<RuntimeInfo>;
}

export interface DetailedContainer {
  readonly summary: RuntimeContainerSummary;
  readonly details: ContainerInspectDetails;
}

/** What `berth info` prints. */
export interface RuntimeInfo {
  readonly backend: string;
  readonly version: string;
  /** Name → text, in the order to print. */
  readonly facts: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

export interface ExecProcessOptions extends ExecOptions {
  /** Ends the whole process tree after this time, in milliseconds; `end` is then `timed_out`. Absent = never. */
  readonly timeoutMs?: number | undefined;
  /**
   * Size of the terminal. Only with `tty`. OCI runtimes and engines set it while the program begins: in rare cases it finds no size at its very
   * first look, and gets SIGWINCH.
   */
  readonly size?: { readonly rows: number; readonly cols: number } | undefined;
}

/** How a further process ended. `code` is what a shell would show: 128 + n for a signal. */
export type ExecEnd =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "signalled"; readonly code: number; readonly signal: string }
  | { readonly kind: "timed_out" }
  | { readonly kind: "aborted" }
  /** The container stopped while the process ran. */
  | { readonly kind: "container_gone" };

export interface ExecProcess extends ExecHandle, AsyncDisposable {
  /** Pid on the host, where it can be known. */
  readonly pid?: number | undefined;
  /** Sends a signal, default SIGKILL, to the process and everything it started. After the end: nothing. */
  kill(signal?: string): Promise<void>;
  /** Settles once, after all output was delivered or discarded; never rejects. */
  readonly end: Promise<ExecEnd>;
}

export interface ResolvedImage {
  /** Of the manifest or index the reference names. */
  readonly descriptor: Descriptor;
  readonly platforms: readonly TargetPlatform[];
}

export interface EventsOptions extends CallOptions {
  /** A {@link RuntimeEvent.cursor}: everything after it; or an instant: everything from it on. */
  readonly since?: string | Date | undefined;
  /** Ends once everything up to this instant was given. */
  readonly until?: Date | undefined;
}

/** Actions in Docker's words: `create`, `start`, `die`, `oom`, `health_status: healthy`, `pull`, `connect`, `mount`, … */
export interface RuntimeEvent {
  /** Grows by one with every event of this backend; never repeats, also after a crash. */
  readonly sequence: number;
  /** Opaque place to resume after. */
  readonly cursor: string;
  readonly time: Date;
  readonly type: "container" | "image" | "network" | "volume" | "daemon";
  readonly action: string;
  readonly actor: {
    /** Hex id of a container or network, image id, volume name. */
    readonly id: string;
    /** As in Docker: `name`, `image`, `exitCode`, `signal`, the labels, … */
    readonly attributes: Readonly<Record<string, string>>;
  };
  /** Of container events. */
  readonly containerId?: ContainerId | undefined;
}

export interface DiskUsage {
  readonly images: readonly {
    readonly id: string;
    readonly references: readonly string[];
    readonly sizeBytes: number;
    /** Of `sizeBytes`, what other images use too. */
    readonly sharedBytes: number;
    readonly containers: number;
    readonly created?: Date | undefined;
  }[];
  readonly containers: readonly {
    readonly hexId: string;
    readonly containerId?: ContainerId | undefined;
    readonly name?: string | undefined;
    /** The writable layer. */
    readonly writableBytes: number;
    readonly running: boolean;
  }[];
  readonly volumes: readonly { readonly name: string; readonly sizeBytes: number; readonly containers: number }[];
  /** All unpacked layers, each once. */
  readonly layersBytes: number;
}

/** The engine's own credentials for registries, encrypted at rest (contract 4.5). Secrets go in and never come out. */
export interface CredentialsFacet {
  /** In place of what was kept for that registry: `host[:port]` or a URL, empty for Docker Hub. Nobody is asked; see `checkLogin`. */
  store(registry: string, secret: CredentialSecret, o?: CallOptions): Promise<CredentialEntry>;
  list(o?: CallOptions): Promise<readonly CredentialEntry[]>;
  /** By id or registry. Unknown: `not_found`. */
  remove(idOrRegistry: string, o?: CallOptions): Promise<void>;
}

/** Values for `$S:name` in a container's environment, encrypted at rest (contract 1.3). They go in and come out in containers alone. */
export interface SecretsFacet {
  /** `name` or `@service/name`; in place of the secret of that name. Neither NUL nor more than 500 KiB: `invalid_spec`. */
  store(name: string, value: string, o?: CallOptions): Promise<SecretEntry>;
  /** By name. */
  list(o?: CallOptions): Promise<readonly SecretEntry[]>;
  /** Running containers keep the value they started with. Unknown: `not_found`. */
  remove(name: string, o?: CallOptions): Promise<void>;
}

export interface SecretEntry {
  readonly name: string;
  readonly createdAt: Date;
}

export type CredentialSecret =
  | { readonly kind: "basic"; readonly username: string; readonly password: string; readonly authType?: "basic" | "token" | undefined }
  /** Nobody, whatever Docker's config file says. */
  | { readonly kind: "anonymous" }
  /** As Docker's config file says, as without an entry. */
  | { readonly kind: "docker_config" }
  /** Names of environment variables of the engine. */
  | { readonly kind: "env_var"; readonly username: string; readonly password: string };

export interface CredentialEntry {
  readonly id: string;
  /** Canonical host, such as `docker.io`. */
  readonly registry: string;
  readonly kind: CredentialSecret["kind"];
  readonly username?: string | undefined;
  readonly createdAt: Date;
}

/** A volume's life: created by name or by a container's first use, used by any number of containers, removed when none does. */
export interface VolumesFacet {
  /** There already with the same options: that one. Name of `[a-zA-Z0-9][a-zA-Z0-9_.-]*`, absent = a random anonymous one. */
  create(options: VolumeCreateOptions, o?: CallOptions): Promise<VolumeDetails>;
  inspect(name: string, o?: CallOptions): Promise<VolumeDetails>;
  list(o?: CallOptions): Promise<readonly VolumeDetails[]>;
  /** In use: `conflict`. Unknown: `not_found`, with `force` nothing. */
  remove(name: string, o?: CallOptions & { readonly force?: boolean | undefined }): Promise<void>;
  /** Unused anonymous ones; with `all` named ones too. Labels as `key` or `key=value`; `!` before it excludes. */
  /** Brings volumes to the remote store (contract 4.4), all that a service uses unless names are given. Without a store nothing. */
  sync?(names?: readonly string[], o?: CallOptions): Promise<readonly { readonly name: string; readonly key: string; readonly uploaded: boolean }[]>;
  prune(o?: CallOptions & { readonly all?: boolean | undefined; readonly labels?: readonly string[] | undefined }): Promise<{
    readonly deleted: readonly string[];
    readonly spaceReclaimed: number;
  }>;
}

export interface VolumeCreateOptions {
  readonly name?: string | undefined;
  readonly driver?: "local" | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly options?: Readonly<Record<string, string>> | undefined;
}

export interface VolumeDetails {
  readonly name: string;
  readonly driver: string;
  /** Directory on the host of the engine. */
  readonly mountpoint: string;
  readonly createdAt?: Date | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly anonymous: boolean;
  /** Hex ids of the containers that use it. */
  readonly usedBy: readonly string[];
}

/** A network's life: created, joined by containers before and while they run, removed when none is connected. */
export interface NetworksFacet {
  create(options: NetworkCreateOptions, o?: CallOptions): Promise<NetworkDetails>;
  /** Name, id or unique prefix of the id. */
  inspect(nameOrId: string, o?: CallOptions): Promise<NetworkDetails>;
  list(o?: CallOptions): Promise<readonly NetworkDetails[]>;
  /** Containers connected or a predefined network: `conflict`. */
  remove(nameOrId: string, o?: CallOptions): Promise<void>;
  connect(nameOrId: string, id: ContainerId, options?: NetworkConnectOptions, o?: CallOptions): Promise<void>;
  disconnect(nameOrId: string, id: ContainerId, o?: CallOptions & { readonly force?: boolean | undefined }): Promise<void>;
  prune(
    o?: CallOptions & { readonly until?: Date | undefined; readonly labels?: readonly string[] | undefined },
  ): Promise<{ readonly deleted: readonly string[] }>;
}

export interface NetworkCreateOptions {
  readonly name: string;
  readonly driver?: "bridge" | undefined;
  /** No way out: no default route, no masquerading. */
  readonly internal?: boolean | undefined;
  readonly enableIpv6?: boolean | undefined;
  /** Absent = a free one of the default pool; at most one of each family. */
  readonly subnets?: readonly NetworkSubnet[] | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly options?: Readonly<Record<string, string>> | undefined;
}

export interface NetworkSubnet {
  /** As `10.86.0.0/16` or `fd00:1::/64`. */
  readonly subnet: string;
  readonly gateway?: string | undefined;
  /** Where addresses are taken from; absent = the whole subnet. */
  readonly ipRange?: string | undefined;
}

export interface NetworkConnectOptions {
  readonly aliases?: readonly string[] | undefined;
  readonly ipv4?: string | undefined;
  readonly ipv6?: string | undefined;
  readonly macAddress?: string | undefined;
}

export interface NetworkDetails {
  /** 64 hex digits. */
  readonly id: string;
  readonly name: string;
  readonly driver: "bridge" | "host" | "none" | (string & {});
  readonly internal: boolean;
  readonly enableIpv6: boolean;
  readonly subnets: readonly NetworkSubnet[];
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly createdAt?: Date | undefined;
  readonly containers: readonly {
    readonly hexId: string;
    readonly containerId?: ContainerId | undefined;
    readonly name?: string | undefined;
    readonly aliases: readonly string[];
    /** With the length of the prefix, as `10.86.0.2/16`. */
    readonly ipv4?: string | undefined;
    readonly ipv6?: string | undefined;
    readonly macAddress?: string | undefined;
  }[];
}

/**
 * What whoever watches over containers needs beside the 49 methods. Restarts and health are durable facts of the backend; one
 * process at a time acts on them. Nothing here keeps a process alive.
 */
export interface SupervisionFacet {
  /** Becomes the supervisor of these containers, among all processes; waits for its turn. Disposal lets the next one. */
  lead(o: { readonly signal: AbortSignal }): Promise<AsyncDisposable>;
  /** Containers that run with a health check, wait for a restart, or may be brought back by a daemon. */
  list(): Promise<readonly SupervisedContainer[]>;
  /** Absent when it needs nobody to watch over it. */
  get(id: ContainerId): Promise<SupervisedContainer | undefined>;
  /** Calls back with the containers something happened to, whoever did it. */
  watch(notify: (ids: readonly ContainerId[]) => void): Disposable;
  /** Starts it unless it was started, stopped or removed since; `false` then. With `resume` a stop of the user does not count. */
  restart(id: ContainerId, o?: CallOptions & { readonly resume?: boolean | undefined }): Promise<boolean>;
  /** Outcome of a probe of this run. A change of status is told as `health_status: …`. Dropped when the run is over. */
  recordHealth(id: ContainerId, run: number, health: HealthDetail): Promise<void>;
}

export interface SupervisedContainer {
  readonly id: ContainerId;
  /** Counts its starts. */
  readonly run: number;
  /** The policy starts it again then. Only while it does not run. */
  readonly restartAt?: Date | undefined;
  /** Stopped by the user, but a start of the daemon brings it back. */
  readonly resumesAtBoot: boolean;
  /** Only while it runs. */
  readonly health?: { readonly plan: HealthPlan; readonly startedAt: Date; readonly last: HealthDetail } | undefined;
}
