/** Docker's health check as ours. Times are nanoseconds on the wire; 0 leaves a field to the image, then to Docker's default. */
import type { HealthConfig } from "../../docker-api/container-config.ts";
import type { ImageInspectInfo } from "../../runtime/types.ts";
import type { HealthSpec } from "../../spec/service-spec.ts";
import { HttpError } from "../status.ts";

const defaults = { interval: 30_000, timeout: 30_000, startGrace: 0, retries: 3 };

/** `undefined` leaves the check to the image. Throws 400 for an unknown form. */
export function healthOf(config: HealthConfig | null | undefined, image: Pick<ImageInspectInfo, "healthcheck">): HealthSpec | undefined {
  const test = config?.Test != null && config.Test.length > 0 ? config.Test : undefined;
  const effective = test ?? (hasTimes(config) ? image.healthcheck?.test : undefined);
  if (effective === undefined || effective[0] === "NONE") return undefined;
  return {
    check: { type: "command", command: commandOf(effective) },
    interval: milliseconds("Interval", config?.Interval) ?? defaults.interval,
    timeout: milliseconds("Timeout", config?.Timeout) ?? defaults.timeout,
    startGrace: milliseconds("StartPeriod", config?.StartPeriod) ?? defaults.startGrace,
    retries: retriesOf(config?.Retries),
  };
}

/** Whether the body switches the image's check off. */
export function isHealthDisabled(config: HealthConfig | null | undefined): boolean {
  return config?.Test?.[0] === "NONE";
}

function hasTimes(config: HealthConfig | null | undefined): boolean {
  return [config?.Interval, config?.Timeout, config?.StartPeriod, config?.Retries].some((value) => value != null && value !== 0);
}

function commandOf([kind = "", ...rest]: readonly string[]): string {
  if (kind === "CMD-SHELL" && rest.length > 0) return rest[0] ?? "";
  if (kind === "CMD" && rest.length > 0) return rest.map(quoted).join(" ");
  throw new HttpError(400, `unknown type of health check ${JSON.stringify(kind)}: use NONE, CMD or CMD-SHELL with a command`);
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function milliseconds(field: string, nanoseconds: number | null | undefined): number | undefined {
  if (nanoseconds == null || nanoseconds === 0) return undefined;
  if (nanoseconds < 1_000_000) throw new HttpError(400, `${field} in Healthcheck cannot be less than 1ms`);
  return nanoseconds / 1_000_000;
}

function retriesOf(retries: number | null | undefined): number {
  if (retries != null && retries < 0) throw new HttpError(400, "Retries in Healthcheck cannot be negative");
  return retries || defaults.retries;
}
