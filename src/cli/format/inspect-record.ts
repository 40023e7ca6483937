import type { ContainerInspectDetails, HealthDetail, ImageInspectInfo, RuntimeContainerSummary } from "../../runtime/types.ts";
import type { PortMapping } from "../../spec/service-spec.ts";
import { dockerState, shownId } from "./container-row.ts";
import { zeroTime } from "./time.ts";

/** A container in the shape of `docker inspect`, with the fields Berth knows. */
export function containerRecord(container: RuntimeContainerSummary, details: ContainerInspectDetails): object {
  return {
    Id: shownId(container, true),
    Created: instant(details.createdAt ?? container.createdAt),
    Name: `/${details.name ?? container.name ?? container.runtimeId}`,
    State: stateRecord(container, details),
    Image: details.imageId ?? "",
    RestartCount: details.restartCount ?? 0,
    Mounts: (details.mounts ?? []).map((mount) => ({
      Type: mount.type,
      ...(mount.name === undefined ? {} : { Name: mount.name }),
      Source: mount.source,
      Destination: mount.target,
      RW: !mount.readonly,
    })),
    Config: configRecord(container, details),
    NetworkSettings: networkRecord(details),
    Warnings: details.warnings ?? [],
  };
}

function stateRecord(container: RuntimeContainerSummary, details: ContainerInspectDetails): object {
  const { state } = container;
  const status = dockerState({ state, paused: details.paused ?? container.paused });
  return {
    Status: status,
    Running: status === "running" || status === "paused",
    Paused: status === "paused",
    Restarting: status === "restarting",
    OOMKilled: details.oomKilled ?? false,
    Dead: status === "dead",
    Pid: details.pid ?? 0,
    ExitCode: details.exitCode ?? (state?.state === "exited" ? state.code : 0),
    Error: details.error ?? (state?.state === "failed" ? state.reason : ""),
    StartedAt: instant(details.startedAt ?? container.startedAt),
    FinishedAt: instant(details.finishedAt ?? container.finishedAt),
    ...(details.health === undefined || details.health.status === "none" ? {} : { Health: healthRecord(details.health) }),
  };
}

function healthRecord({ status, failingStreak, log }: HealthDetail): object {
  const probes = (log ?? []).map(({ start, end, exitCode, output }) => ({
    Start: start.toISOString(),
    End: end.toISOString(),
    ExitCode: exitCode,
    Output: output,
  }));
  return { Status: status, FailingStreak: failingStreak ?? 0, Log: probes };
}

function configRecord(container: RuntimeContainerSummary, details: ContainerInspectDetails): object {
  return {
    Hostname: details.hostname ?? "",
    User: details.user ?? "",
    Tty: details.tty ?? false,
    Env: details.env ?? [],
    Cmd: details.command ?? container.command ?? [],
    Image: details.image ?? container.image ?? "",
    WorkingDir: details.workingDir ?? "",
    Labels: details.labels ?? container.labels ?? {},
  };
}

function networkRecord(details: ContainerInspectDetails): object {
  return {
    Ports: portRecord(details.ports),
    IPAddress: details.ipv4 ?? "",
    Networks: Object.fromEntries(
      details.networks.map((network) => [
        network.network,
        {
          Aliases: network.aliases,
          NetworkID: network.networkId ?? "",
          Gateway: network.gateway ?? "",
          IPAddress: network.ipv4 ?? "",
          IPPrefixLen: network.prefix ?? 0,
          GlobalIPv6Address: network.ipv6 ?? "",
          MacAddress: network.macAddress ?? "",
        },
      ]),
    ),
  };
}

function portRecord(ports: readonly PortMapping[]): Record<string, readonly object[]> {
  const record: Record<string, object[]> = {};
  for (const { containerPort, protocol, hostIp, hostPort } of ports) {
    const key = `${containerPort}/${protocol}`;
    record[key] = [...(record[key] ?? []), { HostIp: hostIp, HostPort: hostPort === undefined ? "" : String(hostPort) }];
  }
  return record;
}

/** An image in the shape of `docker image inspect`. */
export function imageRecord(image: ImageInspectInfo): object {
  return {
    Id: image.id ?? "",
    RepoTags: image.repoTags,
    RepoDigests: image.repoDigests,
    Parent: image.parent ?? "",
    Comment: image.comment ?? "",
    Created: image.created ?? zeroTime,
    Author: image.author ?? "",
    Architecture: image.architecture ?? "",
    ...(image.variant === undefined ? {} : { Variant: image.variant }),
    Os: image.os ?? "",
    Size: image.size ?? 0,
    Config: {
      User: image.user ?? "",
      ExposedPorts: keys(image.exposedPorts),
      Env: image.env,
      Cmd: image.cmd,
      Entrypoint: image.entrypoint,
      Volumes: keys(image.volumes),
      WorkingDir: image.workingDir ?? "",
      Labels: image.labels,
      ...(image.stopSignal === undefined ? {} : { StopSignal: image.stopSignal }),
      ...(image.healthcheck === undefined ? {} : { Healthcheck: { Test: image.healthcheck.test } }),
      ...(image.onBuild === undefined ? {} : { OnBuild: image.onBuild }),
    },
    RootFS: { Type: "layers", Layers: image.layers },
  };
}

function keys(names: readonly string[] | undefined): Record<string, object> {
  return Object.fromEntries((names ?? []).map((name) => [name, {}]));
}

function instant(at: Date | undefined): string {
  return at?.toISOString() ?? zeroTime;
}
