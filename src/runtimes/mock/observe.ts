/** Records about a simulated container, as inspect, list and stats show them. */
import type { ContainerInspectDetails, ContainerStats, MountDetail, PortMappingEntry, RuntimeContainerSummary, StatsSample } from "../../runtime/types.ts";
import { containerIdLabel, nativeName } from "../../spec/container-id.ts";
import { describedSpec } from "../../spec/described-spec.ts";
import type { PortMapping } from "../../spec/service-spec.ts";
import type { Container } from "./container.ts";
import { networkDetails } from "./network-calls.ts";
import { resolveArgv } from "./process-setup.ts";
import { surroundings } from "./lifecycle.ts";
import type { World } from "./world.ts";

/** Method 38. */
export function inspect(world: World, container: Container): ContainerInspectDetails {
  const { setup, spec, run, exit } = container;
  const ended = container.status === "exited" || container.status === "failed";
  const around = surroundings(container, world);
  return {
    ports: run === undefined ? spec.portMappings : run.ports.map(toMapping),
    networks: networkDetails(world, container),
    ipv4: run === undefined ? undefined : world.networks.mainAddress(container.key),
    exitCode: ended ? exit?.code : undefined,
    paused: container.paused,
    createdAt: setup.createdAt,
    startedAt: container.startedAt,
    finishedAt: ended ? exit?.finishedAt : undefined,
    restartCount: container.restarts,
    health: container.health,
    oomKilled: exit?.oomKilled === true,
    error: container.failure,
    pid: run?.pid,
    name: container.name,
    hexId: setup.hexId,
    image: setup.image.tags.has(setup.image.reference) ? setup.image.reference : spec.image.name,
    imageId: setup.image.id,
    labels: spec.labels,
    mounts: mountDetails(container),
    warnings: setup.warnings,
    command: resolveArgv(setup.image.config.config, spec.command),
    env: Object.entries(around.env).map(([name, value]) => `${name}=${value}`),
    workingDir: around.cwd,
    user: around.user,
    hostname: around.hostname,
    tty: spec.tty,
    spec: describedSpec(spec),
  };
}

function toMapping(entry: PortMappingEntry): PortMapping {
  const protocol = entry.protocol === "udp" ? "udp" : "tcp";
  return { hostPort: entry.hostPort, containerPort: entry.containerPort, protocol, hostIp: entry.hostIp ?? "0.0.0.0" };
}

function mountDetails(container: Container): readonly MountDetail[] {
  const anonymous = [...container.volumes].map(
    ([target, { name }]): MountDetail => ({ type: "volume", name, source: `volume:${name}`, target, readonly: false }),
  );
  const others = container.spec.storage.flatMap((entry): MountDetail[] => {
    switch (entry.type) {
      case "named":
        return [{ type: "volume", name: entry.name, source: `volume:${entry.name}`, target: entry.target, readonly: entry.readonly === true }];
      case "bind":
        return [{ type: "bind", source: entry.source, target: entry.target, readonly: entry.readonly === true }];
      case "tmpfs":
        return [{ type: "tmpfs", source: "tmpfs", target: entry.target, readonly: false }];
      default:
        return [];
    }
  });
  return [...anonymous, ...others];
}

/** Method 46. */
export function summarise(container: Container): RuntimeContainerSummary {
  const { setup, spec } = container;
  return {
    runtimeId: nativeName(setup.id),
    containerIdLabel: spec.labels[containerIdLabel],
    containerId: setup.id,
    hexId: setup.hexId,
    name: container.name,
    state: container.state,
    health: container.isRunning ? container.health?.status : undefined,
    paused: container.paused,
    labels: spec.labels,
    image: spec.image.name,
    command: resolveArgv(setup.image.config.config, spec.command),
    ports: container.run?.ports ?? [],
    createdAt: setup.createdAt,
    startedAt: container.startedAt,
    finishedAt: container.exit?.finishedAt,
  };
}

/** One per cent of a core and 1 MiB, unless the test said otherwise; zeros when nothing runs. */
export function sample(world: World, container: Container): StatsSample {
  const { run, spec } = container;
  const timestamp = world.clock.now();
  const elapsedMs = run === undefined ? 0 : world.clock.monotonicMs() - run.startedMonotonicMs;
  const base: StatsSample = {
    cpuTotalNs: run === undefined ? 0 : Math.round(elapsedMs * 10_000) + 1_000_000,
    cpuSystemNs: Math.round(world.clock.monotonicMs() * 1_000_000),
    onlineCpus: 1,
    memUsedBytes: run === undefined ? 0 : 1024 * 1024,
    memLimitBytes: run === undefined ? 0 : (spec.resources.memory ?? 0),
    netRxBytes: 0,
    netTxBytes: 0,
    blkioReadBytes: 0,
    blkioWriteBytes: 0,
    pidsCurrent: run === undefined ? 0 : 1 + run.execs.size,
    pidsLimit: spec.resources.pidsLimit !== undefined && spec.resources.pidsLimit > 0 ? spec.resources.pidsLimit : undefined,
    timestamp,
  };
  return run === undefined ? base : { ...base, ...container.stats };
}

/** Method 10. */
export function snapshot(world: World, container: Container): ContainerStats {
  const { cpuTotalNs, memUsedBytes, memLimitBytes, timestamp } = sample(world, container);
  const memoryLimit = memLimitBytes === 0 ? undefined : memLimitBytes;
  return { cpuUsageUsec: Math.floor(cpuTotalNs / 1000), memoryBytes: memUsedBytes, memoryLimit, timestamp, monotonicMs: world.clock.monotonicMs() };
}
