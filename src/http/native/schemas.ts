/** Shapes of the native API (contract 4.1). Unknown keys are refused in what we read. */
import { z } from "zod";

const words = z.array(z.string());
const texts = z.record(z.string(), z.string());

/** `1`, `true`, `0`, `false`. */
export const flag = z
  .enum(["1", "true", "0", "false", ""])
  .transform((text) => text === "1" || text === "true")
  .optional()
  .meta({ override: { type: "boolean" } });

export const wholeNumber = z.coerce.number().int().optional();
export const listed = z
  .union([z.string(), words])
  .transform((value) => (typeof value === "string" ? [value] : value))
  .optional();

export const errorBody = z.object({ error: z.string(), message: z.string(), details: z.unknown().optional() }).meta({ id: "Error" });

const registryAuth = z
  .strictObject({ username: z.string(), password: z.string(), auth_type: z.enum(["basic", "token"]).optional() })
  .meta({ id: "RegistryAuth" });

export const pullPolicy = z.enum(["always", "newer", "if_not_present", "never"]);

const port = z.strictObject({
  host_port: z.int().min(0).max(65_535).optional(),
  container_port: z.int().min(1).max(65_535),
  protocol: z.enum(["tcp", "udp"]).optional(),
  host_ip: z.string().optional(),
});

const volume = z.strictObject({
  type: z.enum(["bind", "volume", "tmpfs"]),
  source: z.string().optional(),
  target: z.string(),
  readonly: z.boolean().optional(),
});

const healthCheck = z.strictObject({
  type: z.enum(["tcp", "http", "command"]),
  port: z.int().optional(),
  url: z.string().optional(),
  expect_status: z.int().optional(),
  command: words.optional(),
  interval: z.string().optional(),
  timeout: z.string().optional(),
  retries: z.int().optional(),
  start_period: z.string().optional(),
});

const device = z.strictObject({
  path: z.string(),
  container_path: z.string().optional(),
  read: z.boolean().optional(),
  write: z.boolean().optional(),
  mknod: z.boolean().optional(),
});

export const createRequest = z
  .strictObject({
    image: z.string().min(1),
    name: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,128}$/)
      .optional(),
    pull_policy: pullPolicy.optional(),
    env: texts.optional(),
    command: words.optional(),
    entrypoint: words.optional(),
    labels: texts.optional(),
    resources: z.strictObject({ cpu: z.number().optional(), memory: z.union([z.string(), z.int()]).optional() }).optional(),
    volumes: z.array(volume).optional(),
    ports: z.array(port).optional(),
    work_dir: z.string().optional(),
    health_check: healthCheck.optional(),
    hostname: z.string().optional(),
    dns: words.optional(),
    extra_hosts: words.optional(),
    restart_policy: z
      .strictObject({
        kind: z.enum(["no", "always", "unless_stopped", "on_failure"]),
        max_attempts: z.int().optional(),
        delay: z.string().optional(),
      })
      .optional(),
    networks: z.array(z.strictObject({ network: z.string(), aliases: words.optional(), ipv4_address: z.string().optional() })).optional(),
    registry_credential_id: z.string().optional(),
    registry_auth: registryAuth.optional(),
    privileged: z.boolean().optional(),
    cap_add: words.optional(),
    cap_drop: words.optional(),
    devices: z.array(device).optional(),
    network_mode: z.string().optional(),
    security_opt: words.optional(),
    pid_mode: z.string().optional(),
    ipc_mode: z.string().optional(),
    read_only_root_fs: z.boolean().optional(),
    init_container: z.boolean().optional(),
    user: z.string().optional(),
    stop_signal: z.string().optional(),
    stop_grace_period: z.string().optional(),
    sysctls: texts.optional(),
    ulimits: z.record(z.string(), z.strictObject({ soft: z.int().optional(), hard: z.int().optional() })).optional(),
    extra_groups: words.optional(),
    pids_limit: z.int().optional(),
    cpuset: z.string().optional(),
    cpu_shares: z.int().optional(),
    memory_swap: z.union([z.string(), z.int()]).optional(),
    memory_reservation: z.union([z.string(), z.int()]).optional(),
    memory_swappiness: z.int().optional(),
    oom_score_adj: z.int().optional(),
    oom_kill_disable: z.boolean().optional(),
    blkio_weight: z.int().optional(),
    lifecycle: z.strictObject({ delete_on_exit: z.boolean().optional() }).optional(),
    node_selector: texts.optional(),
    platform: z.string().optional(),
    start: z.boolean().optional(),
    tty: z.boolean().optional(),
    stdin_open: z.boolean().optional(),
    gpu: z.strictObject({ count: z.int().optional(), vendor: z.string().optional() }).optional(),
    shm_size: z.union([z.string(), z.int()]).optional(),
    annotations: texts.optional(),
  })
  .meta({ id: "CreateContainer" });

export type CreateRequest = z.infer<typeof createRequest>;

export const containerInfo = z
  .object({
    id: z.string(),
    name: z.string().optional(),
    image: z.string(),
    state: z.string(),
    labels: texts,
    created_at: z.string().optional(),
    pid: z.int().optional(),
    ports: z.array(z.object({ container_port: z.int(), protocol: z.string(), host_ip: z.string(), host_port: z.int().optional() })),
    networks: z.array(z.object({ network: z.string(), aliases: words, ipv4: z.string().optional(), ipv6: z.string().optional() })),
    ipv4: z.string().optional(),
    health: z.object({ status: z.string(), failing_streak: z.int().optional(), last_output: z.string().optional() }).optional(),
    exit_code: z.int().optional(),
    paused: z.boolean().optional(),
    started_at: z.string().optional(),
    finished_at: z.string().optional(),
    restart_count: z.int().optional(),
    warnings: words.optional(),
  })
  .meta({ id: "ContainerInfo" });

export const execRequest = z.strictObject({
  command: words.min(1),
  env: words.optional(),
  working_dir: z.string().optional(),
  user: z.string().optional(),
  privileged: z.boolean().optional(),
  tty: z.boolean().optional(),
  attach_stdin: z.boolean().optional(),
});

export const execSyncRequest = z.strictObject({
  command: words.min(1),
  user: z.string().optional(),
  working_dir: z.string().optional(),
  env: words.optional(),
});

export const pullRequest = z.strictObject({
  reference: z.string().min(1),
  pull_policy: pullPolicy.optional(),
  registry_credential_id: z.string().optional(),
  registry_auth: registryAuth.optional(),
});

export const volumeRequest = z.strictObject({
  name: z.string().optional(),
  size: z.string().optional(),
  tier: z.enum(["local", "cached", "network"]).optional(),
  labels: texts.optional(),
});

export const volumeInfo = z
  .object({ name: z.string(), path: z.string(), size_bytes: z.number().optional(), labels: texts, created_at: z.string().optional(), in_use_by: words })
  .meta({ id: "VolumeInfo" });

export const networkRequest = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,63}$/),
  driver: z.enum(["bridge", "overlay"]).optional(),
  subnet: z.string().optional(),
  labels: texts.optional(),
  internal: z.boolean().optional(),
});

export const networkInfo = z
  .object({
    id: z.string(),
    name: z.string(),
    driver: z.string(),
    subnet: z.string().optional(),
    labels: texts,
    internal: z.boolean(),
    created_at: z.string().optional(),
    containers: words,
  })
  .meta({ id: "NetworkInfo" });
