/** What a committed image says of its containers: the container's own settings over those of its image (contract, method 37). */
import type { ContainerConfig, Healthcheck } from "./image-config.ts";
import type { CompleteSpec, HealthSpec } from "./service-spec.ts";
import { parseDuration } from "./units.ts";

const ownLabels = "dev.berth.";
const millisecondNs = 1_000_000;

/** Nothing the engine put into the container is in it, and nothing whose value is only named in the spec. */
export function committedConfig(spec: CompleteSpec, image: ContainerConfig): ContainerConfig {
  const { entrypoint, args, workdir } = spec.command;
  return {
    ...image,
    user: spec.user ?? image.user,
    exposedPorts: [
      ...new Set([
        ...image.exposedPorts,
        ...spec.expose.map(withProtocol),
        ...spec.portMappings.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`),
      ]),
    ],
    env: mergeEnv(image.env, spec.env),
    entrypoint: entrypoint ?? image.entrypoint,
    cmd: args ?? (entrypoint === undefined ? image.cmd : []),
    workingDir: workdir ?? image.workingDir,
    labels: { ...image.labels, ...Object.fromEntries(Object.entries(spec.labels).filter(([key]) => !key.startsWith(ownLabels))) },
    stopSignal: spec.stopSignal ?? image.stopSignal,
    healthcheck: healthcheckOf(spec.health) ?? image.healthcheck,
  };
}

function withProtocol(port: string): string {
  return port.includes("/") ? port : `${port}/tcp`;
}

function mergeEnv(image: readonly string[], own: Readonly<Record<string, string>>): string[] {
  const given = Object.entries(own).filter(([, value]) => !value.startsWith("$S:") && !value.startsWith("$E:"));
  const names = new Set(given.map(([name]) => name));
  const kept = image.filter((entry) => !names.has(entry.split("=", 1)[0] ?? ""));
  return [...kept, ...given.map(([name, value]) => `${name}=${value}`)];
}

/** Only a command can be said in an image. */
function healthcheckOf(health: HealthSpec | undefined): Healthcheck | undefined {
  if (health?.check.type !== "command" || health.check.command === "") return undefined;
  return {
    test: typeof health.check.command === "string" ? ["CMD-SHELL", health.check.command] : ["CMD", ...health.check.command],
    interval: nanoseconds(health.interval),
    timeout: nanoseconds(health.timeout),
    startPeriod: nanoseconds(health.startGrace),
    retries: health.retries,
  };
}

function nanoseconds(duration: number | string | undefined): number | undefined {
  if (duration === undefined) return undefined;
  return (typeof duration === "number" ? duration : parseDuration(duration)) * millisecondNs;
}
