import type { z } from "zod";
import type { ContainerInspectDetails, ContainerState } from "../../runtime/types.ts";
import type { containerInfo } from "./schemas.ts";

export type ContainerInfo = z.infer<typeof containerInfo>;

export function toContainerInfo(hexId: string, details: ContainerInspectDetails, state: ContainerState): ContainerInfo {
  const { health } = details;
  return {
    id: details.hexId ?? hexId,
    name: details.name,
    image: details.image ?? "",
    state: stateText(state),
    labels: { ...details.labels },
    created_at: details.createdAt?.toISOString(),
    pid: details.pid,
    ports: details.ports.map(({ containerPort, protocol, hostIp, hostPort }) => ({
      container_port: containerPort,
      protocol,
      host_ip: hostIp,
      host_port: hostPort,
    })),
    networks: details.networks.map(({ network, aliases, ipv4, ipv6 }) => ({ network, aliases: [...aliases], ipv4, ipv6 })),
    ipv4: details.ipv4,
    health: health && { status: health.status, failing_streak: health.failingStreak, last_output: health.lastOutput },
    exit_code: details.exitCode,
    paused: details.paused,
    started_at: details.startedAt?.toISOString(),
    finished_at: details.finishedAt?.toISOString(),
    restart_count: details.restartCount,
    warnings: details.warnings === undefined ? undefined : [...details.warnings],
  };
}

export function stateText(state: ContainerState): string {
  if (state.state === "exited") return `exited(${state.code})`;
  if (state.state === "failed") return `failed: ${state.reason}`;
  return state.state;
}
