/** A completed spec as the body of `POST /containers/create`: every field of contract 1.3 translated, refused or warned about. */
import type { ContainerCreateBody } from "../../docker-api/containers.ts";
import { BerthError } from "../../errors.ts";
import type { CompleteSpec } from "../../spec/service-spec.ts";
import { endpointSettings } from "./attachments.ts";
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
  readonly image: ImageFacts;
  /** See {@link takesAllLegs}. */
  readonly allLegs: boolean;
}

/** What of the image's config a create has to repeat. */
export interface ImageFacts {
  readonly entrypoint: readonly string[];
  readonly stopSignal?: string | undefined;
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
    ...commandFields(spec, facts.image.entrypoint),
    ...network.config,
    Env: [...Object.entries(facts.env).map(([name, value]) => `${name}=${value}`), ...gpu.env],
    ...(spec.user === undefined ? {} : { User: spec.user }),
    ...(spec.tty ? { Tty: true } : {}),
    // A client that ends its input ends the program's, unless that sits at a terminal.
    ...(spec.stdinOpen ? { OpenStdin: true, StdinOnce: spec.stdinOnce ?? true } : {}),
    // Docker takes every signal for the stop signal of a container that names none.
    StopSignal: spec.stopSignal ?? facts.image.stopSignal ?? "SIGTERM",
    ...(spec.stopGracePeriodMs === undefined ? {} : { StopTimeout: stopSeconds(spec.stopGracePeriodMs) }),
    ...(health === undefined ? {} : { Healthcheck: health }),
    ...networkingFields(spec, facts.allLegs),
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

/** The main network's leg, or all of them. */
function networkingFields({ networks }: CompleteSpec, allLegs: boolean): Pick<ContainerCreateBody, "NetworkingConfig" | "MacAddress"> {
  const legs = (allLegs ? networks : networks.slice(0, 1)).map((leg) => [leg.name, endpointSettings(leg)] as const);
  const told = legs.filter(([, settings], index) => index > 0 || Object.keys(settings).length > 0);
  if (told.length === 0) return {};
  const macAddress = networks[0]?.macAddress;
  return {
    ...(allLegs || macAddress === undefined ? {} : { MacAddress: macAddress }),
    NetworkingConfig: { EndpointsConfig: Object.fromEntries(told) },
  };
}

/** To Docker an empty list says nothing: `[""]` clears an entrypoint, and a command is cleared by giving the entrypoint anew. */
function commandFields({ command }: CompleteSpec, imageEntrypoint: readonly string[]): Pick<ContainerCreateBody, "Entrypoint" | "Cmd" | "WorkingDir"> {
  const { entrypoint, args, workdir } = command;
  const cleared = args?.length === 0 && imageEntrypoint.length > 0 ? imageEntrypoint : undefined;
  const given = entrypoint?.length === 0 ? [""] : (entrypoint ?? cleared);
  return {
    ...(given === undefined ? {} : { Entrypoint: given }),
    ...(args === undefined ? {} : { Cmd: args }),
    ...(workdir === undefined ? {} : { WorkingDir: workdir }),
  };
}
