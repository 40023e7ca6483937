/** `POST /containers/create` as a `ServiceSpec`: honoured, refused, or named in the warnings, never dropped in silence. */
import type { ContainerCreateBody } from "../../docker-api/containers.ts";
import type { HostConfig } from "../../docker-api/host-config.ts";
import { BerthError } from "../../errors.ts";
import type { ImageInspectInfo } from "../../runtime/types.ts";
import { parsePlatform } from "../../spec/platform.ts";
import type { DeviceSpec, ServiceSpec, UlimitInput } from "../../spec/service-spec.ts";
import { HttpError } from "../status.ts";
import { healthOf } from "./create-health.ts";
import { networkSpec } from "./create-network.ts";
import { logsOf, restartOf } from "./create-policy.ts";
import { resourcesOf } from "./create-resources.ts";
import { storageOf } from "./create-storage.ts";

export interface CreateInput {
  readonly body: ContainerCreateBody;
  /** The image's own configuration: its command and ports matter where the body leaves them to it. */
  readonly image: ImageInspectInfo;
  readonly platform: string | undefined;
}

export interface CreatePlan {
  readonly spec: ServiceSpec;
  readonly warnings: readonly string[];
}

/** Throws 400 for what Docker calls invalid, and `unsupported` where leaving a field out would weaken what was asked for. */
export function createPlan({ body, image, platform }: CreateInput): CreatePlan {
  const host = body.HostConfig ?? {};
  const warnings: string[] = [];
  refuseUnsupported(host);
  warnWithoutEffect(body, host, warnings);
  const spec: ServiceSpec = {
    image: body.Image ?? "",
    command: commandOf(body, image),
    env: environmentOf(body.Env ?? [], warnings),
    user: body.User || undefined,
    extraGroups: host.GroupAdd ?? undefined,
    tty: body.Tty === true,
    stdinOpen: body.OpenStdin === true,
    stdinOnce: body.OpenStdin === true ? body.StdinOnce === true : undefined,
    initContainer: host.Init ?? undefined,
    stopSignal: body.StopSignal || undefined,
    stopGracePeriod: graceOf(body.StopTimeout),
    hostname: body.Hostname || undefined,
    platform: platform === undefined ? undefined : parsePlatform(platform),
    ...networkSpec(body, image),
    storage: storageOf(body, warnings),
    devices: (host.Devices ?? []).map(deviceOf),
    privileged: host.Privileged === true,
    capabilities: host.CapAdd ?? undefined,
    capDrop: host.CapDrop ?? undefined,
    securityOpt: securityOf(host),
    readOnlyRootFs: host.ReadonlyRootfs === true,
    usernsMode: host.UsernsMode || undefined,
    pidMode: host.PidMode || undefined,
    ipcMode: host.IpcMode || undefined,
    utsMode: utsOf(body, host),
    cgroupParent: host.CgroupParent || undefined,
    sysctls: host.Sysctls ?? undefined,
    ulimits: ulimitsOf(host),
    resources: resourcesOf(host, warnings),
    labels: body.Labels ?? undefined,
    lifecycle: { deleteOnExit: host.AutoRemove === true },
    restartPolicy: restartOf(host),
    health: healthOf(body.Healthcheck),
    logs: logsOf(host, warnings),
  };
  return { spec, warnings };
}

/** An empty entrypoint in the body clears the image's; `[""]` also drops the image's command (Docker's rule). */
function commandOf(body: ContainerCreateBody, image: ImageInspectInfo): ServiceSpec["command"] {
  const workdir = body.WorkingDir || undefined;
  const args = body.Cmd != null && body.Cmd.length > 0 ? body.Cmd : undefined;
  if (body.Entrypoint == null) return { args, workdir };
  if (body.Entrypoint.length === 0) return { entrypoint: [], args: args ?? image.cmd, workdir };
  if (body.Entrypoint.length === 1 && body.Entrypoint[0] === "") return { entrypoint: [], args, workdir };
  return { entrypoint: body.Entrypoint, args, workdir };
}

function environmentOf(list: readonly string[], warnings: string[]): Readonly<Record<string, string>> {
  const entries = list.flatMap((entry): (readonly [string, string])[] => {
    const split = entry.indexOf("=");
    if (split === 0 || entry === "") throw new HttpError(400, `invalid environment variable: ${entry}`);
    if (split > 0) return [[entry.slice(0, split), entry.slice(split + 1)]];
    warnings.push(`environment variable ${entry} has no value: variables of the image cannot be removed`);
    return [];
  });
  return Object.fromEntries(entries);
}

function utsOf(body: ContainerCreateBody, host: HostConfig): "host" | undefined {
  if (!host.UTSMode) return undefined;
  if (host.UTSMode !== "host") throw new HttpError(400, `invalid UTS mode: ${host.UTSMode}`);
  if (body.Hostname) throw new HttpError(400, "conflicting options: hostname and the UTS mode");
  return "host";
}

function graceOf(seconds: number | null | undefined): number | undefined {
  if (seconds == null) return undefined;
  return seconds < 0 ? Number.POSITIVE_INFINITY : seconds * 1000;
}

function deviceOf(device: { PathOnHost: string; PathInContainer: string; CgroupPermissions: string }): DeviceSpec {
  const permissions = device.CgroupPermissions || "rwm";
  const has = (letter: string): boolean => permissions.includes(letter);
  return { path: device.PathOnHost, containerPath: device.PathInContainer || undefined, read: has("r"), write: has("w"), mknod: has("m") };
}

function securityOf(host: HostConfig): readonly string[] {
  const unmasked = host.MaskedPaths != null && host.MaskedPaths.length === 0 && host.ReadonlyPaths != null && host.ReadonlyPaths.length === 0;
  return [...(host.SecurityOpt ?? []), ...(unmasked ? ["systempaths=unconfined"] : [])];
}

function ulimitsOf(host: HostConfig): Readonly<Record<string, UlimitInput>> {
  return Object.fromEntries((host.Ulimits ?? []).map(({ Name, Soft, Hard }) => [Name, { soft: Soft, hard: Hard }]));
}

const runtimes = ["", "runc", "crun", "io.containerd.runc.v2"];

/** Leaving these out would widen what the container may do or use. */
function refuseUnsupported(host: HostConfig): void {
  const asked: readonly (readonly [string, boolean])[] = [
    ["BlkioDeviceReadBps", present(host.BlkioDeviceReadBps)],
    ["BlkioDeviceWriteBps", present(host.BlkioDeviceWriteBps)],
    ["BlkioDeviceReadIOps", present(host.BlkioDeviceReadIOps)],
    ["BlkioDeviceWriteIOps", present(host.BlkioDeviceWriteIOps)],
    ["BlkioWeightDevice", present(host.BlkioWeightDevice)],
    ["DeviceCgroupRules", present(host.DeviceCgroupRules)],
    ["StorageOpt", Object.keys(host.StorageOpt ?? {}).length > 0],
  ];
  const [field] = asked.find(([, isAsked]) => isAsked) ?? [];
  if (field !== undefined) throw new BerthError("unsupported", `HostConfig.${field} is not supported by this engine`);
  if (host.Isolation && host.Isolation !== "default") throw new HttpError(400, `invalid isolation: ${host.Isolation} is not available on linux`);
  if (!runtimes.includes(host.Runtime ?? "")) throw new HttpError(400, `unknown or invalid runtime name: ${host.Runtime}`);
}

function warnWithoutEffect(body: ContainerCreateBody, host: HostConfig, warnings: string[]): void {
  const named: readonly (readonly [string, boolean])[] = [
    ["Domainname", Boolean(body.Domainname)],
    ["HostConfig.CgroupnsMode", host.CgroupnsMode === "host"],
    ["HostConfig.VolumeDriver", Boolean(host.VolumeDriver) && host.VolumeDriver !== "local"],
    ["HostConfig.Annotations", Object.keys(host.Annotations ?? {}).length > 0],
    ["Shell", present(body.Shell)],
    ["OnBuild", present(body.OnBuild)],
  ];
  if (present(host.Links)) {
    warnings.push("HostConfig.Links has no effect with this engine: connect both containers to a network of their own, in which they find each other by name");
  }
  for (const [field, isSet] of named) if (isSet) warnings.push(`${field} has no effect with this engine`);
}

function present(list: readonly unknown[] | null | undefined): boolean {
  return list != null && list.length > 0;
}
