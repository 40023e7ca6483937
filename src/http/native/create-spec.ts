/** The native create request as a `ServiceSpec`; its values are checked there, by the names the spec has. */
import { parsePlatform } from "../../spec/platform.ts";
import type { HealthSpec, ServiceSpec, StorageSpec } from "../../spec/service-spec.ts";
import { ValidationError } from "./define.ts";
import type { CreateRequest } from "./schemas.ts";

export function toServiceSpec(o: CreateRequest): ServiceSpec {
  return {
    image: { name: o.image, pullPolicy: o.pull_policy },
    command: { entrypoint: o.entrypoint, args: o.command, workdir: o.work_dir },
    env: o.env,
    user: o.user,
    extraGroups: o.extra_groups,
    tty: o.tty,
    stdinOpen: o.stdin_open,
    initContainer: o.init_container,
    stopSignal: o.stop_signal,
    stopGracePeriod: o.stop_grace_period,
    hostname: o.hostname,
    platform: o.platform === undefined ? undefined : parsePlatform(o.platform),
    networkMode: o.network_mode,
    networks: o.networks?.map(({ network, aliases, ipv4_address }) => ({ name: network, aliases, ipv4: ipv4_address })),
    portMappings: o.ports?.map((port) => ({ hostPort: port.host_port, containerPort: port.container_port, protocol: port.protocol, hostIp: port.host_ip })),
    dns: o.dns,
    extraHosts: o.extra_hosts,
    storage: storageOf(o),
    devices: o.devices?.map(({ container_path, ...device }) => ({ ...device, containerPath: container_path })),
    privileged: o.privileged,
    capabilities: o.cap_add,
    capDrop: o.cap_drop,
    securityOpt: o.security_opt,
    readOnlyRootFs: o.read_only_root_fs,
    pidMode: o.pid_mode,
    ipcMode: o.ipc_mode,
    sysctls: o.sysctls,
    ulimits: o.ulimits,
    resources: {
      ...o.resources,
      memorySwap: o.memory_swap,
      memoryReservation: o.memory_reservation,
      memorySwappiness: o.memory_swappiness,
      cpuset: o.cpuset,
      cpuShares: o.cpu_shares,
      pidsLimit: o.pids_limit,
      blkioWeight: o.blkio_weight,
      oomScoreAdj: o.oom_score_adj,
      oomKillDisable: o.oom_kill_disable,
      gpu: o.gpu,
    },
    labels: { ...o.labels, ...o.annotations },
    lifecycle: { deleteOnExit: o.lifecycle?.delete_on_exit },
    restartPolicy: o.restart_policy && { kind: o.restart_policy.kind, maxAttempts: o.restart_policy.max_attempts, delay: o.restart_policy.delay },
    health: o.health_check === undefined ? undefined : healthOf(o.health_check),
  };
}

function storageOf(o: CreateRequest): readonly StorageSpec[] {
  const shm: StorageSpec[] = o.shm_size === undefined ? [] : [{ type: "tmpfs", target: "/dev/shm", size: o.shm_size, mode: 0o1777 }];
  const volumes = (o.volumes ?? []).map(({ type, source, target, readonly }): StorageSpec => {
    if (type === "tmpfs") return { type, target };
    if (type === "volume") return source === undefined ? { type: "anonymous", target } : { type: "named", name: source, target, readonly };
    if (source === undefined) throw new ValidationError(`body.volumes: the bind at ${target} needs a source`);
    return { type, source, target, readonly };
  });
  return [...shm, ...volumes];
}

function healthOf(o: NonNullable<CreateRequest["health_check"]>): HealthSpec {
  return { startGrace: o.start_period, interval: o.interval, timeout: o.timeout, retries: o.retries, check: checkOf(o) };
}

function checkOf({ type, port, url, expect_status: expectStatus, command = [] }: NonNullable<CreateRequest["health_check"]>): HealthSpec["check"] {
  if (type === "tcp") return { type, port: port ?? 0 };
  if (type === "http") return { type, url: url ?? "", expectStatus };
  return { type, command: command.join(" ") };
}
