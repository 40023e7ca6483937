/** Vocabulary of the Runtime interface (contract 1.2 and 1.4–1.11). Instants are `Date`, durations milliseconds, sizes bytes. */
import type { Duplex } from "node:stream";
import type { ContainerId } from "../spec/container-id.ts";
import type { PortMapping, ServiceSpec } from "../spec/service-spec.ts";

/** Last argument of every method. An abort rejects with `signal.reason`; what it leaves behind is said at the method. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export type ByteSource = Uint8Array | AsyncIterable<Uint8Array>;
export type ByteStream = AsyncIterable<Uint8Array>;

/** Contract 1.2. A paused container is `running`; {@link ContainerInspectDetails.paused} tells the difference. */
export type ContainerState =
  | { readonly state: "pending" }
  | { readonly state: "initializing" }
  | { readonly state: "running" }
  | { readonly state: "stopping" }
  | { readonly state: "exited"; readonly code: number }
  | { readonly state: "failed"; readonly reason: string };

/** Credentials for one call; never logged, stored or echoed. With `token` the bearer or identity token is the password. */
export interface RegistryAuth {
  readonly username: string;
  readonly password: string;
  readonly authType?: "basic" | "token" | undefined;
}

export interface ImageInfo {
  /** A user-visible tag; the image id for untagged images. */
  readonly reference: string;
  readonly digest?: string | undefined;
  /** Unpacked size of all layers. */
  readonly sizeBytes?: number | undefined;
  /** Berth addition: digest of the image config. */
  readonly id?: string | undefined;
  /** Berth addition: creation time from the image config. */
  readonly created?: Date | undefined;
}

export interface PruneResult {
  readonly deleted: readonly string[];
  readonly spaceReclaimed: number;
}

export interface ImageInspectInfo {
  readonly id?: string | undefined;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly parent?: string | undefined;
  readonly comment?: string | undefined;
  readonly created?: string | undefined;
  readonly container?: string | undefined;
  readonly dockerVersion?: string | undefined;
  readonly author?: string | undefined;
  readonly architecture?: string | undefined;
  readonly variant?: string | undefined;
  readonly os?: string | undefined;
  readonly size?: number | undefined;
  /** diffIDs, base first. */
  readonly layers: readonly string[];
  readonly env: readonly string[];
  readonly cmd: readonly string[];
  readonly entrypoint: readonly string[];
  readonly workingDir?: string | undefined;
  readonly user?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly exposedPorts?: readonly string[] | undefined;
  readonly volumes?: readonly string[] | undefined;
  readonly stopSignal?: string | undefined;
  readonly healthcheck?: { readonly test: readonly string[] } | undefined;
  readonly onBuild?: readonly string[] | undefined;
  /** Berth addition: annotations of the manifest. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** Berth addition: media types of the artifact (where it has a type), its config and its layers, as the manifest gives them. */
  readonly mediaTypes?: readonly string[] | undefined;
}

export interface ImageHistoryEntry {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  readonly createdBy: string;
  readonly tags: readonly string[];
  readonly size: number;
  readonly comment: string;
}

export interface ImageSearchResult {
  readonly name: string;
  readonly description: string;
  readonly starCount: number;
  readonly official: boolean;
  readonly automated: boolean;
}

/** `id` is the short layer digest (12 hex digits) or absent for image-level lines; `status` uses Docker's words. */
export type PullProgress =
  | {
      readonly kind: "status";
      readonly id?: string | undefined;
      readonly status: string;
      readonly progress?: string | undefined;
      readonly current?: number | undefined;
      readonly total?: number | undefined;
    }
  | { readonly kind: "done"; readonly reference: string; readonly digest?: string | undefined };

export type LoadProgress =
  | { readonly kind: "status"; readonly id?: string | undefined; readonly status: string }
  | { readonly kind: "done"; readonly references: readonly string[] };

export interface CommitOptions {
  readonly repo?: string | undefined;
  readonly tag?: string | undefined;
  readonly comment?: string | undefined;
  readonly author?: string | undefined;
  readonly pause?: boolean | undefined;
  readonly changes?: string | undefined;
}

export interface CommitOutcome {
  readonly id: string;
}

export type LogSource = { readonly type: "container" | "job" | "build"; readonly id: string } | { readonly type: "daemon" };

export interface LogEntry {
  readonly timestamp: Date;
  readonly stream: "stdout" | "stderr";
  /** Without line terminator; invalid UTF-8 became U+FFFD. */
  readonly message: string;
  readonly source: LogSource;
  readonly service?: string | undefined;
  readonly deployment?: string | undefined;
}

/** One line including its newline; raw bytes. Lines over 16 KiB arrive in several chunks. */
export interface LogChunk {
  readonly stream: "stdin" | "stdout" | "stderr";
  readonly bytes: Uint8Array;
  readonly timestamp?: Date | undefined;
}

export interface LogsStreamOptions {
  readonly follow?: boolean | undefined;
  /** Absent = all; 0 = no history. */
  readonly tail?: number | undefined;
  /** Unix seconds, fractions allowed, inclusive. */
  readonly since?: number | undefined;
  /** Unix seconds, fractions allowed, inclusive. */
  readonly until?: number | undefined;
  /** Fill `LogChunk.timestamp`. */
  readonly timestamps?: boolean | undefined;
  /** Neither set means both. */
  readonly stdout?: boolean | undefined;
  readonly stderr?: boolean | undefined;
}

export interface ContainerStats {
  /** Cumulative since start. */
  readonly cpuUsageUsec: number;
  readonly memoryBytes: number;
  /** Absent = unlimited. */
  readonly memoryLimit?: number | undefined;
  readonly timestamp: Date;
  readonly monotonicMs: number;
}

export interface StatsSample {
  readonly cpuTotalNs: number;
  /** Host CPU time at the same moment, all CPUs. */
  readonly cpuSystemNs: number;
  readonly onlineCpus: number;
  /** Without inactive file cache. */
  readonly memUsedBytes: number;
  /** 0 = no limit. */
  readonly memLimitBytes: number;
  readonly netRxBytes: number;
  readonly netTxBytes: number;
  readonly blkioReadBytes: number;
  readonly blkioWriteBytes: number;
  readonly pidsCurrent: number;
  readonly pidsLimit?: number | undefined;
  readonly timestamp: Date;
}

export type WaitReason = "exited" | "signal" | "oom_killed" | "runtime_error";
export type WaitCondition = "not-running" | "next-exit" | "removed";

export interface WaitOutcome {
  readonly exitCode: number;
  readonly reason: WaitReason;
  /** `SIGKILL`, … when `reason` is `signal`. */
  readonly signal?: string | undefined;
  readonly finishedAt?: Date | undefined;
}

export type ExecEvent =
  | { readonly kind: "stdout"; readonly data: string }
  | { readonly kind: "stderr"; readonly data: string }
  | { readonly kind: "exit"; readonly code: number };

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Set when a channel exceeded its 16 MiB and the rest was discarded. */
  readonly truncated?: boolean | undefined;
}

/** Defaults come from the container: its environment, user, working directory. */
export interface ExecCallOptions extends CallOptions {
  /** `KEY=VALUE`, on top of the container's environment. */
  readonly env?: readonly string[] | undefined;
  readonly user?: string | undefined;
  readonly workingDir?: string | undefined;
  readonly privileged?: boolean | undefined;
}

export interface ExecOptions {
  readonly command: readonly string[];
  readonly env?: readonly string[] | undefined;
  readonly workingDir?: string | undefined;
  readonly user?: string | undefined;
  readonly privileged?: boolean | undefined;
  readonly tty?: boolean | undefined;
  readonly attachStdin?: boolean | undefined;
  readonly attachStdout?: boolean | undefined;
  readonly attachStderr?: boolean | undefined;
}

export interface ExecHandle {
  /** Write = stdin, read = output: raw pty bytes with a tty, else stdout and stderr in arrival order. */
  readonly stream: Duplex;
  /** Berth addition, without a tty: the same output with its channel. Use either this or `stream`. */
  readonly output?: AsyncIterable<{ readonly channel: "stdout" | "stderr"; readonly bytes: Uint8Array }> | undefined;
  /** Latest wins, never throws; no effect without a tty or after the exit. */
  resize(rows: number, cols: number): void;
  /** Settles exactly once, after all output was delivered or discarded. */
  readonly exit: Promise<number>;
}

/** What `attachContainer` connects to the main process (Appendix B). */
export interface AttachOptions extends CallOptions {
  readonly stdin?: boolean | undefined;
  /** Begins with what is in the log already. */
  readonly logs?: boolean | undefined;
}

export interface AttachHandle {
  /** Output with its channel; with a tty everything is stdout. Ends when the container exits or `close` is called. */
  readonly output: AsyncIterable<{ readonly channel: "stdout" | "stderr"; readonly bytes: Uint8Array }>;
  /** Resolves when the bytes were taken; rejects after the container exited. */
  write(bytes: Uint8Array): Promise<void>;
  /** Half-closes stdin: the process reads end of file, output goes on. */
  endStdin(): void;
  resize(rows: number, cols: number): void;
  /** Detaches without touching the container. Idempotent. */
  close(): void;
  [Symbol.dispose](): void;
}

export interface NetworkAttachmentDetail {
  readonly network: string;
  readonly aliases: readonly string[];
  readonly ipv4?: string | undefined;
  /** Berth additions. */
  readonly networkId?: string | undefined;
  readonly ipv6?: string | undefined;
  readonly macAddress?: string | undefined;
  readonly gateway?: string | undefined;
  /** Bits of the subnet. */
  readonly prefix?: number | undefined;
}

export interface HealthDetail {
  readonly status: "none" | "starting" | "healthy" | "unhealthy";
  readonly failingStreak?: number | undefined;
  readonly lastOutput?: string | undefined;
  /** Berth addition: the last five probes, oldest first. */
  readonly log?: readonly { readonly start: Date; readonly end: Date; readonly exitCode: number; readonly output: string }[] | undefined;
}

export interface MountDetail {
  readonly type: "bind" | "volume" | "tmpfs";
  /** Volume name, for volumes. */
  readonly name?: string | undefined;
  readonly source: string;
  readonly target: string;
  readonly readonly: boolean;
}

/** Contract 1.9. The empty record means "no rich inspect", never a hidden error. */
export interface ContainerInspectDetails {
  /** Real bindings while running (ephemeral ports filled in), the requested ones otherwise. */
  readonly ports: readonly PortMapping[];
  readonly networks: readonly NetworkAttachmentDetail[];
  readonly ipv4?: string | undefined;
  /** Berth addition: the state at this very look. Absent = `containerState` has to be asked. */
  readonly state?: ContainerState | undefined;
  readonly health?: HealthDetail | undefined;
  /** Only when exited or dead. */
  readonly exitCode?: number | undefined;
  readonly paused?: boolean | undefined;
  readonly createdAt?: Date | undefined;
  readonly startedAt?: Date | undefined;
  readonly finishedAt?: Date | undefined;
  readonly restartCount?: number | undefined;
  readonly oomKilled?: boolean | undefined;
  readonly error?: string | undefined;
  readonly pid?: number | undefined;
  readonly name?: string | undefined;
  /** Hex id, contract 1.1. */
  readonly hexId?: string | undefined;
  readonly image?: string | undefined;
  readonly imageId?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly mounts?: readonly MountDetail[] | undefined;
  readonly warnings?: readonly string[] | undefined;
  /** argv of the main process. */
  readonly command?: readonly string[] | undefined;
  /** `KEY=VALUE`; values that came from a secret are left out. */
  readonly env?: readonly string[] | undefined;
  readonly workingDir?: string | undefined;
  readonly user?: string | undefined;
  readonly hostname?: string | undefined;
  readonly tty?: boolean | undefined;
  /** Berth addition: the whole description as completed at create and changed by updates; secret values are left out. */
  readonly spec?: ServiceSpec | undefined;
}

export interface RuntimeContainerSummary {
  /** Handle of the engine below, opaque. */
  readonly runtimeId: string;
  /** Value of the label `dev.berth.container_id`; absent = foreign container. */
  readonly containerIdLabel?: string | undefined;
  readonly containerId?: ContainerId | undefined;
  /** Hex id, contract 1.1. */
  readonly hexId?: string | undefined;
  readonly name?: string | undefined;
  readonly state?: ContainerState | undefined;
  readonly paused?: boolean | undefined;
  /** Only with a health check. */
  readonly health?: HealthDetail["status"] | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly image?: string | undefined;
  readonly command?: readonly string[] | undefined;
  readonly ports?: readonly PortMappingEntry[] | undefined;
  readonly createdAt?: Date | undefined;
  readonly startedAt?: Date | undefined;
  readonly finishedAt?: Date | undefined;
}

export interface ContainerTopOutput {
  readonly titles: readonly string[];
  readonly processes: readonly (readonly string[])[];
}

export interface FilesystemChangeEntry {
  readonly path: string;
  readonly kind: "modified" | "added" | "deleted";
}

export interface PortMappingEntry {
  readonly containerPort: number;
  readonly protocol: string;
  readonly hostIp?: string | undefined;
  readonly hostPort?: number | undefined;
}

export interface ContainerPruneResult {
  /** Hex ids where known, else native handles. */
  readonly deleted: readonly string[];
  readonly spaceReclaimed: number;
}

export interface PathStat {
  readonly name: string;
  readonly size: number;
  /** Unix `st_mode`: type bits and permissions. */
  readonly mode: number;
  readonly mtime?: string | undefined;
  /** Empty unless a symlink. */
  readonly linkTarget: string;
}

export interface ArchivePutOptions {
  readonly noOverwriteDirNonDir?: boolean | undefined;
  readonly copyUidGid?: boolean | undefined;
}
