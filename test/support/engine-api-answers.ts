/** Smaller answers of the Docker Engine API, version 1.47, in the manner of engine-api-schemas.ts. */
import { z } from "zod";
import { containerSummary, imageSummary, volume } from "./engine-api-schemas.ts";

const text = z.string();
const flag = z.boolean();
const int = z.int();
const texts = z.array(text).nullable();
const time = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/);
const hexId = z.string().regex(/^[0-9a-f]{64}$/);

export const errorResponse = z.strictObject({ message: z.string().min(1) });
export const created = z.strictObject({ Id: hexId, Warnings: z.array(text) });
export const idOnly = z.strictObject({ Id: hexId });
export const networkCreated = z.strictObject({ Id: hexId, Warning: text });
export const updated = z.strictObject({ Warnings: texts });
export const waited = z.strictObject({ StatusCode: int, Error: z.strictObject({ Message: text }).nullable().optional() });
export const changes = z.array(z.strictObject({ Path: z.string().regex(/^\//), Kind: z.union([z.literal(0), z.literal(1), z.literal(2)]) })).nullable();
export const top = z.strictObject({ Titles: z.array(text), Processes: z.array(z.array(text)) });
export const deleted = z.array(z.union([z.strictObject({ Untagged: text }), z.strictObject({ Deleted: text })]));
export const pruned = (key: string) => z.strictObject({ [key]: texts, SpaceReclaimed: int });
export const commitId = z.strictObject({ Id: z.string().regex(/^sha256:[0-9a-f]{64}$/) });

export const execInspect = z.strictObject({
  CanRemove: flag,
  DetachKeys: text,
  ID: hexId,
  Running: flag,
  ExitCode: int.nullable(),
  ProcessConfig: z.strictObject({ privileged: flag, user: text.optional(), tty: flag, entrypoint: text, arguments: z.array(text) }),
  OpenStdin: flag,
  OpenStderr: flag,
  OpenStdout: flag,
  ContainerID: hexId,
  Pid: int,
});

export const systemVersion = z.strictObject({
  Platform: z.strictObject({ Name: text }),
  Components: z.array(z.strictObject({ Name: text, Version: text, Details: z.record(z.string(), text).nullable().optional() })),
  Version: text,
  ApiVersion: z.string().regex(/^1\.\d+$/),
  MinAPIVersion: z.string().regex(/^1\.\d+$/),
  GitCommit: text,
  GoVersion: text,
  Os: text,
  Arch: text,
  KernelVersion: text,
  Experimental: flag.optional(),
  BuildTime: text,
});

/** `status`, `id` and `from` are what older clients read. */
export const event = z.strictObject({
  Type: z.enum(["builder", "config", "container", "daemon", "image", "network", "node", "plugin", "secret", "service", "volume"]),
  Action: text,
  Actor: z.strictObject({ ID: text, Attributes: z.record(z.string(), text) }),
  scope: z.enum(["local", "swarm"]),
  time: int,
  /** Beyond what a double counts in ones. */
  timeNano: z.number().positive(),
  status: text.optional(),
  id: text.optional(),
  from: text.optional(),
});

export const diskUsage = z.strictObject({
  LayersSize: int,
  Images: z.array(imageSummary),
  Containers: z.array(containerSummary),
  Volumes: z.array(volume),
  BuildCache: z.array(z.unknown()).nullable(),
  BuilderSize: int.optional(),
});

const throttling = z.strictObject({ periods: int, throttled_periods: int, throttled_time: int });
const cpu = z.strictObject({
  cpu_usage: z.strictObject({ total_usage: int, percpu_usage: z.array(int).nullable().optional(), usage_in_kernelmode: int, usage_in_usermode: int }),
  system_cpu_usage: int.optional(),
  online_cpus: int.optional(),
  throttling_data: throttling,
});
const blkio = z.array(z.strictObject({ major: int, minor: int, op: text, value: int })).nullable();
const traffic = z.strictObject({
  rx_bytes: int,
  rx_packets: int,
  rx_errors: int,
  rx_dropped: int,
  tx_bytes: int,
  tx_packets: int,
  tx_errors: int,
  tx_dropped: int,
});

export const stats = z.strictObject({
  id: hexId,
  name: z.string().regex(/^\//),
  read: time,
  preread: time,
  num_procs: int,
  pids_stats: z.strictObject({ current: int.optional(), limit: z.number().optional() }),
  cpu_stats: cpu,
  precpu_stats: cpu,
  memory_stats: z.strictObject({
    usage: int.optional(),
    max_usage: int.optional(),
    limit: z.number().optional(),
    failcnt: int.optional(),
    stats: z.record(z.string(), z.number()).optional(),
  }),
  blkio_stats: z.strictObject({
    io_service_bytes_recursive: blkio,
    io_serviced_recursive: blkio,
    io_queue_recursive: blkio,
    io_service_time_recursive: blkio,
    io_wait_time_recursive: blkio,
    io_merged_recursive: blkio,
    io_time_recursive: blkio,
    sectors_recursive: blkio,
  }),
  storage_stats: z.strictObject({}),
  networks: z.record(z.string(), traffic).optional(),
});

export const distribution = z.strictObject({
  Descriptor: z.looseObject({ mediaType: text, digest: text, size: int }),
  Platforms: z.array(
    z.strictObject({ architecture: text, os: text, "os.version": text.optional(), "os.features": texts.optional(), variant: text.optional() }),
  ),
});

export const loggedIn = z.strictObject({ Status: text, IdentityToken: text.optional() });
