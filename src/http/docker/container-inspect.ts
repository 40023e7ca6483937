/** GET /containers/{id}/json, filled with what the backend knows now and, for the rest, with what was asked for at create. */
import type { ContainerConfig } from "../../docker-api/container-config.ts";
import type { ContainerInspect, ContainerStateReport, NetworkSettings } from "../../docker-api/container-inspect.ts";
import type { ContainerCreateBody } from "../../docker-api/containers.ts";
import type { FoundContainer } from "../../engine/container-lookup.ts";
import type { ContainerInspectDetails, ContainerState } from "../../runtime/types.ts";
import { shortId } from "../../spec/container-id.ts";
import type { Call } from "../call.ts";
import { boolParam } from "../query.ts";
import { refOf, withContainer } from "./container-ref.ts";
import { mountPoints } from "./container-mounts.ts";
import { networksReport, portMap } from "./container-networks.ts";
import { exitCodeOf, healthReport, statusWord } from "./container-state.ts";
import { withIdLabel } from "./id-label.ts";
import type { DockerEngine } from "./engine.ts";
import { graphDriver } from "./graph-driver.ts";
import { hostConfigReport } from "./host-config-report.ts";
import { rfc3339 } from "./times.ts";

export async function inspectContainer(engine: DockerEngine, call: Call): Promise<void> {
  const report = await withContainer(engine, refOf(call), async (found) => {
    const details = await engine.runtime.inspectDetailed(found.id);
    return containerReport(engine, found, details, details.state ?? (await engine.runtime.containerState(found.id)));
  });
  const sizes = boolParam(call.query, "size") ? await sizesOf(engine, report.Id) : {};
  call.answer(200, { ...report, ...sizes });
}

export function containerReport(engine: DockerEngine, found: FoundContainer, details: ContainerInspectDetails, state: ContainerState): ContainerInspect {
  const hexId = details.hexId ?? found.hexId;
  const body = engine.requests.get(hexId);
  const command = details.command ?? [];
  return {
    Id: hexId,
    Created: rfc3339(details.createdAt),
    Path: command[0] ?? "",
    Args: command.slice(1),
    State: stateReport(details, state),
    Image: details.imageId ?? "",
    ResolvConfPath: "",
    HostnamePath: "",
    HostsPath: "",
    LogPath: "",
    Name: `/${details.name ?? ""}`,
    RestartCount: details.restartCount ?? 0,
    Driver: "overlay2",
    Platform: "linux",
    MountLabel: "",
    ProcessLabel: "",
    AppArmorProfile: "",
    ExecIDs: engine.execs.idsOf(hexId),
    HostConfig: hostConfigReport(details, body),
    GraphDriver: graphDriver,
    Mounts: mountPoints(details.mounts ?? [], body),
    Config: configReport(details, body, found),
    NetworkSettings: networkSettings(details, hexId),
  };
}

function stateReport(details: ContainerInspectDetails, state: ContainerState): ContainerStateReport {
  const word = statusWord({ state, paused: details.paused, startedAt: details.startedAt });
  const health = healthReport(details.health);
  return {
    Status: word,
    Running: word === "running" || word === "paused" || word === "restarting",
    Paused: word === "paused",
    Restarting: word === "restarting",
    OOMKilled: details.oomKilled ?? false,
    Dead: word === "dead",
    Pid: details.pid ?? 0,
    ExitCode: exitCodeOf(state, details.exitCode),
    Error: details.error ?? "",
    StartedAt: rfc3339(details.startedAt),
    FinishedAt: rfc3339(details.finishedAt),
    ...(health === undefined ? {} : { Health: health }),
  };
}

function configReport(details: ContainerInspectDetails, body: ContainerCreateBody | undefined, { id, hexId }: FoundContainer): ContainerConfig {
  const { spec } = details;
  const command = spec?.command;
  return {
    Hostname: details.hostname ?? shortId(hexId),
    Domainname: body?.Domainname ?? "",
    User: details.user ?? "",
    AttachStdin: body?.AttachStdin ?? false,
    AttachStdout: body?.AttachStdout ?? false,
    AttachStderr: body?.AttachStderr ?? false,
    ...exposedPorts(details, body),
    Tty: details.tty ?? false,
    OpenStdin: spec?.stdinOpen ?? body?.OpenStdin ?? false,
    StdinOnce: body?.StdinOnce ?? false,
    Env: details.env ?? [],
    Cmd: body?.Cmd ?? command?.args ?? (command?.entrypoint === undefined ? details.command : null) ?? null,
    ...(body?.Healthcheck ? { Healthcheck: body.Healthcheck } : {}),
    Image: body?.Image ?? details.image ?? "",
    Volumes: body?.Volumes ?? null,
    WorkingDir: details.workingDir ?? "",
    Entrypoint: body?.Entrypoint ?? command?.entrypoint ?? null,
    OnBuild: null,
    Labels: withIdLabel(details.labels, id),
    ...(body?.StopSignal ? { StopSignal: body.StopSignal } : {}),
    ...(body?.StopTimeout == null ? {} : { StopTimeout: body.StopTimeout }),
  };
}

function exposedPorts(details: ContainerInspectDetails, body: ContainerCreateBody | undefined): Pick<ContainerConfig, "ExposedPorts"> {
  const published = details.ports.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`);
  const exposed = (details.spec?.expose ?? []).map((port) => (port.includes("/") ? port : `${port}/tcp`));
  const all = new Set([...Object.keys(body?.ExposedPorts ?? {}), ...exposed, ...published]);
  return all.size === 0 ? {} : { ExposedPorts: Object.fromEntries([...all].map((port) => [port, {}])) };
}

function networkSettings(details: ContainerInspectDetails, hexId: string): NetworkSettings {
  const isRunning = details.pid !== undefined;
  const networks = networksReport(details.networks, hexId);
  const bridge = networks["bridge"];
  return {
    Bridge: "",
    SandboxID: isRunning ? hexId : "",
    SandboxKey: isRunning ? `/proc/${details.pid}/ns/net` : "",
    HairpinMode: false,
    LinkLocalIPv6Address: "",
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    Ports: isRunning ? portMap(details.ports, details.spec?.expose ?? []) : {},
    EndpointID: bridge?.EndpointID ?? "",
    Gateway: bridge?.Gateway ?? "",
    GlobalIPv6Address: "",
    GlobalIPv6PrefixLen: 0,
    IPAddress: bridge?.IPAddress ?? "",
    IPPrefixLen: bridge?.IPPrefixLen ?? 0,
    IPv6Gateway: "",
    MacAddress: bridge?.MacAddress ?? "",
    Networks: networks,
  };
}

export async function sizesOf(engine: DockerEngine, hexId: string): Promise<{ SizeRw: number; SizeRootFs: number }> {
  const usage = await engine.runtime.extras?.diskUsage?.();
  const own = usage?.containers.find((container) => container.hexId === hexId);
  const writable = own?.writableBytes ?? 0;
  return { SizeRw: writable, SizeRootFs: writable };
}
