/** A completed spec as the body of `POST /containers/create`: every field of contract 1.3 translated, refused or warned about. */
import type { ContainerCreateBody } from "../../docker-api/containers.ts";
import { BerthError } from "../../errors.ts";
import type { CompleteSpec } from "../../spec/service-spec.ts";
import { gpuFields } from "./gpu.ts";
import { healthConfig } from "./health-config.ts";
import { storageFields } from "./mounts.ts";
import { networkFields, type SharedModes } from "./network-fields.ts";
import { logField, resourceFields, restartField } from "./resource-fields.ts";
import { deviceMapping, securityFields } from "./security-fields.ts";

export interface CreateFacts {
  /** With `$E:` resolved, and what the backend adds. */
  readonly env: Readonly<Record<string, string>>;
  readonly shared: SharedModes;
  /** The image's entrypoint, needed only where `args: []` shall clear its command. */
  readonly imageEntrypoint?: readonly string[] | undefined;
}

/** Without labels: what is warned about here is part of them. Throws `unsupported`. */
export function createBody(spec: CompleteSpec, facts: CreateFacts): { readonly body: ContainerCreateBody; readonly warnings: readonly string[] } {
  if (spec.serviceType.startsWith("wasm")) throw new BerthError("unsupported", `serviceType ${spec.serviceType}: an engine runs no WASM modules`);
  const warnings: string[] = [];
  const gpu = gpuFields(spec.resources.gpu, warnings);
  const network = networkFields(spec, facts.shared);
  const devices = [...spec.devices.map(deviceMapping), ...gpu.devices];
  const health = healthConfig(spec.health, warnings);
  const body: ContainerCreateBody = {
    Image: spec.image.name,
    ...commandFields(spec, facts.imageEntrypoint),
    ...network.config,
    Env: [...Object.entries(facts.env).map(([name, value]) => `${name}=${value}`), ...gpu.env],
    ...(spec.user === undefined ? {} : { User: spec.user }),
    ...(spec.tty ? { Tty: true } : {}),
    // A client that ends its input ends the program's, unless that sits at a terminal.
    ...(spec.stdinOpen ? { OpenStdin: true, StdinOnce: true } : {}),
    ...(spec.stopSignal === undefined ? {} : { StopSignal: spec.stopSignal }),
    ...(spec.stopGracePeriodMs === undefined ? {} : { StopTimeout: stopSeconds(spec.stopGracePeriodMs) }),
    ...(health === undefined ? {} : { Healthcheck: health }),
    HostConfig: {
      ...network.hostConfig,
      ...resourceFields(spec),
      ...securityFields(spec),
      ...storageFields(spec.storage, warnings),
      ...gpu.hostConfig,
      ...(devices.length === 0 ? {} : { Devices: devices }),
      ...(spec.initContainer ? { Init: true } : {}),
      ...(spec.deleteOnExit ? { AutoRemove: true } : { RestartPolicy: restartField(spec.restartPolicy, warnings) }),
      LogConfig: logField(spec.logs, warnings),
    },
  };
  return { body, warnings };
}

/** Docker counts in whole seconds: rounded up. Negative = never kill. */
export function stopSeconds(ms: number): number {
  return ms < 0 || ms === Number.POSITIVE_INFINITY ? -1 : Math.ceil(ms / 1000);
}

/** To Docker an empty list says nothing: `[""]` clears an entrypoint, and a command is cleared by giving the entrypoint anew. */
function commandFields(
  { command }: CompleteSpec,
  imageEntrypoint: readonly string[] | undefined,
): Pick<ContainerCreateBody, "Entrypoint" | "Cmd" | "WorkingDir"> {
  const { entrypoint, args, workdir } = command;
  const cleared = args?.length === 0 ? imageEntrypoint : undefined;
  const given = entrypoint?.length === 0 ? [""] : (entrypoint ?? cleared);
  return {
    ...(given === undefined ? {} : { Entrypoint: given }),
    ...(args === undefined ? {} : { Cmd: args }),
    ...(workdir === undefined ? {} : { WorkingDir: workdir }),
  };
}
