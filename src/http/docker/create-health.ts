/** Docker's health check as ours. Times are nanoseconds on the wire; 0 leaves a field to the image, then to Docker's default. */
import type { HealthConfig } from "../../docker-api/container-config.ts";
import type { HealthSpec } from "../../spec/service-spec.ts";
import { HttpError } from "../status.ts";

const defaults = { interval: 30_000, timeout: 30_000, startGrace: 0, retries: 3 };

/** `undefined` leaves the check to the image, `NONE` switches that one off, too. Throws 400 for an unknown form. */
export function healthOf(config: HealthConfig | null | undefined): HealthSpec | undefined {
  const test = config?.Test ?? [];
  if (test.length === 0 && !hasTimes(config)) return undefined;
  if (test[0] === "NONE") return { check: { type: "none" } };
  return {
    check: test.length === 0 ? { type: "image" } : { type: "command", command: commandOf(test) },
    interval: milliseconds("Interval", config?.Interval) ?? defaults.interval,
    timeout: milliseconds("Timeout", config?.Timeout) ?? defaults.timeout,
    startGrace: milliseconds("StartPeriod", config?.StartPeriod) ?? defaults.startGrace,
    retries: retriesOf(config?.Retries),
  };
}

function hasTimes(config: HealthConfig | null | undefined): boolean {
  return [config?.Interval, config?.Timeout, config?.StartPeriod, config?.Retries].some((value) => value != null && value !== 0);
}

function commandOf([kind = "", ...rest]: readonly string[]): string | readonly string[] {
  if (kind === "CMD-SHELL" && rest.length > 0) return rest[0] ?? "";
  if (kind === "CMD" && rest.length > 0) return rest;
  throw new HttpError(400, `unknown type of health check ${JSON.stringify(kind)}: use NONE, CMD or CMD-SHELL with a command`);
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
