/** Methods 13, 14, 38, 44 and 46. */
import type { ContainerInspect } from "../../docker-api/container-inspect.ts";
import type { ContainerSummary } from "../../docker-api/containers.ts";
import type { Received } from "../../docker-api/received.ts";
import type {
  ContainerInspectDetails,
  HealthDetail,
  MountDetail,
  NetworkAttachmentDetail,
  PortMappingEntry,
  RuntimeContainerSummary,
} from "../../runtime/types.ts";
import { describedSpec } from "../../spec/described-spec.ts";
import type { CompleteSpec, PortMapping } from "../../spec/service-spec.ts";
import { ownIdOf, publicIdLabel, stampOf, visibleLabels } from "./labels.ts";
import { entries, instant, instantOfSeconds, items, number, stringRecord, text, texts } from "./read.ts";
import { stateFromInspect, stateFromList } from "./state.ts";

type Inspected = Received<ContainerInspect>;

export function detailsOf(found: Inspected): ContainerInspectDetails {
  const { State: state, Config: config } = found;
  const { spec, warnings } = stampOf(config?.Labels);
  const word = stateFromInspect(state);
  const running = isRunning(found);
  const networks = networksOf(found, spec);
  return {
    ports: running ? boundPorts(found).map(asMapping) : (spec?.portMappings ?? requestedPorts(found)),
    networks,
    ipv4: networks.find((one) => one.ipv4 !== undefined)?.ipv4,
    health: healthOf(found),
    exitCode: word.state === "exited" || word.state === "failed" || word.state === "initializing" ? (number(state?.ExitCode) ?? 0) : undefined,
    paused: state?.Paused === true,
    createdAt: instant(found.Created),
    startedAt: instant(state?.StartedAt),
    finishedAt: instant(state?.FinishedAt),
    restartCount: number(found.RestartCount),
    oomKilled: state?.OOMKilled === true,
    error: text(state?.Error),
    pid: running ? pidOf(found) : undefined,
    name: text(found.Name)?.replace(/^\//, ""),
    hexId: text(found.Id),
    image: text(config?.Image),
    imageId: text(found.Image),
    labels: ownLabels(found, spec),
    mounts: mountsOf(found),
    warnings,
    command: commandOf(found),
    env: environmentOf(found, spec),
    workingDir: text(config?.WorkingDir) ?? "/",
    user: text(config?.User),
    hostname: text(config?.Hostname),
    tty: config?.Tty === true,
    spec: spec === undefined ? undefined : describedSpec(spec),
  };
}

function commandOf({ Path: path, Args: args, Config: config }: Inspected): readonly string[] {
  const command = [path ?? "", ...texts(args)].filter((word, index) => index > 0 || word !== "");
  const [only, ...others] = [...texts(config?.Entrypoint), ...texts(config?.Cmd)].filter((word) => word !== "");
  // Podman repeats a program that has no arguments as its own.
  return only !== undefined && others.length === 0 && command.length === 2 && command.every((word) => word === only) ? [only] : command;
}

/** The image's labels stand among them for the engine; the container's own are those it was made with. */
function ownLabels(found: Inspected, spec: CompleteSpec | undefined): Readonly<Record<string, string>> {
  return spec?.labels ?? visibleLabels(found.Config?.Labels);
}

/** Variables from the engine's environment are left out, as their values may be secret. */
function environmentOf(found: Inspected, spec: CompleteSpec | undefined): readonly string[] {
  const hidden = new Set(Object.entries(spec?.env ?? {}).flatMap(([name, value]) => (/^\$[ES]:/.test(value) ? [name] : [])));
  return texts(found.Config?.Env).filter((variable) => !hidden.has(variable.split("=", 1)[0] ?? ""));
}

/** Between two runs of a restart policy an engine calls a container running, and restarting. */
export function isRunning(found: Inspected): boolean {
  return found.State?.Running === true && found.State.Restarting !== true;
}

export function pidOf(found: Inspected): number | undefined {
  const pid = number(found.State?.Pid);
  return pid === undefined || pid <= 0 ? undefined : pid;
}

/** The main one first, the default bridge before others, then by name; modes without a network of their own are named. */
export function networksOf(found: Inspected, spec?: CompleteSpec): readonly NetworkAttachmentDetail[] {
  const mode = text(found.HostConfig?.NetworkMode) ?? "default";
  if (mode === "host" || mode === "none") return [{ network: mode, aliases: [] }];
  if (mode.startsWith("container:")) return [];
  const all = entries(found.NetworkSettings?.Networks).map(([network, leg]): NetworkAttachmentDetail => {
    const prefix = number(leg?.IPPrefixLen);
    return {
      network,
      aliases: texts(leg?.Aliases),
      ipv4: text(leg?.IPAddress),
      networkId: text(leg?.NetworkID),
      ipv6: text(leg?.GlobalIPv6Address),
      macAddress: text(leg?.MacAddress),
      gateway: text(leg?.Gateway),
      prefix: prefix === 0 ? undefined : prefix,
    };
  });
  const order = spec?.networks.map(({ name }) => name) ?? [];
  const rank = ({ network }: NetworkAttachmentDetail): string => {
    const place = order.indexOf(network);
    if (place >= 0) return `0${String(place).padStart(4, "0")}`;
    return network === "bridge" || network === "podman" ? "1" : `2${network}`;
  };
  return all.sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

const healthStatuses = ["starting", "healthy", "unhealthy"] as const;
const mountTypes = ["bind", "volume", "tmpfs"] as const;

function healthOf(found: Inspected): HealthDetail | undefined {
  const health = found.State?.Health;
  // Podman has one without a word for a container that is not checked.
  if (health === undefined || health === null || health.Status === "") return undefined;
  const log = items(health.Log).flatMap((probe) => {
    const [start, end] = [instant(probe?.Start), instant(probe?.End)];
    return start === undefined || end === undefined ? [] : [{ start, end, exitCode: number(probe?.ExitCode) ?? 0, output: probe?.Output ?? "" }];
  });
  return {
    status: healthStatuses.find((one) => one === health.Status) ?? "none",
    failingStreak: number(health.FailingStreak),
    lastOutput: log.at(-1)?.output,
    log,
  };
}

function mountsOf(found: Inspected): readonly MountDetail[] {
  const mounts = items(found.Mounts).flatMap((mount): MountDetail[] => {
    const type = mountTypes.find((one) => one === mount.Type);
    if (type === undefined) return [];
    return [{ type, name: text(mount.Name), source: mount.Source ?? "", target: mount.Destination ?? "", readonly: mount.RW === false }];
  });
  const tmpfs = Object.entries(stringRecord(found.HostConfig?.Tmpfs)).map(
    ([target, options]): MountDetail => ({ type: "tmpfs", source: "tmpfs", target, readonly: options.split(",").includes("ro") }),
  );
  return [...mounts, ...tmpfs].sort((a, b) => (a.target < b.target ? -1 : 1));
}

/** Bindings exist only while running. */
export function boundPorts(found: Inspected): readonly PortMappingEntry[] {
  if (!isRunning(found)) return [];
  const all = entries(found.NetworkSettings?.Ports).flatMap(([key, bindings]) =>
    items(bindings).map((binding) => ({ ...portOfKey(key), hostIp: text(binding?.HostIp) ?? "0.0.0.0", hostPort: Number(binding?.HostPort) || undefined })),
  );
  return sortedPorts(all);
}

function requestedPorts(found: Inspected): readonly PortMapping[] {
  return entries(found.HostConfig?.PortBindings).flatMap(([key, bindings]) =>
    items(bindings).map((binding) => asMapping({ ...portOfKey(key), hostIp: text(binding?.HostIp), hostPort: Number(binding?.HostPort) || undefined })),
  );
}

function portOfKey(key: string): { readonly containerPort: number; readonly protocol: string } {
  const [port = "", protocol = "tcp"] = key.split("/");
  return { containerPort: Number(port), protocol };
}

function asMapping({ containerPort, protocol, hostIp, hostPort }: PortMappingEntry): PortMapping {
  return { containerPort, protocol: protocol === "udp" ? "udp" : "tcp", hostIp: hostIp ?? "0.0.0.0", hostPort };
}

function sortedPorts(ports: readonly PortMappingEntry[]): readonly PortMappingEntry[] {
  const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return [...ports].sort((a, b) => a.containerPort - b.containerPort || compare(a.protocol, b.protocol) || compare(a.hostIp ?? "", b.hostIp ?? ""));
}

/** `undefined` when the list does not tell the state: then the container has to be inspected. */
export function summaryOf(found: Received<ContainerSummary>): RuntimeContainerSummary & { readonly engineId: string } {
  const engineId = found.Id ?? "";
  const own = stampOf(found.Labels).spec;
  const ports = items(found.Ports).flatMap((port): PortMappingEntry[] => {
    const [containerPort, hostPort] = [number(port.PrivatePort), number(port.PublicPort)];
    return containerPort === undefined || hostPort === undefined ? [] : [{ containerPort, protocol: port.Type ?? "tcp", hostIp: text(port.IP), hostPort }];
  });
  return {
    engineId,
    runtimeId: engineId,
    containerIdLabel: publicIdLabel(found.Labels, engineId),
    containerId: ownIdOf(found.Labels),
    hexId: engineId,
    name: text(items(found.Names)[0])?.replace(/^\//, ""),
    state: stateFromList(found.State, found.Status),
    paused: found.State === "paused",
    labels: own?.labels ?? visibleLabels(found.Labels),
    image: text(found.Image),
    ports: sortedPorts(ports),
    createdAt: instantOfSeconds(found.Created),
  };
}
