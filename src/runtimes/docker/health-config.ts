/** `health` of a spec as Docker's healthcheck; times are nanoseconds. */
import type { HealthConfig } from "../../docker-api/container-config.ts";
import type { HealthSpec } from "../../spec/service-spec.ts";
import { parseDuration } from "../../spec/units.ts";

const nsPerMs = 1_000_000;
const defaults = { startGraceMs: 5_000, intervalMs: 10_000, timeoutMs: 5_000, retries: 3 } as const;

/** Docker runs commands only: other checks are the business of whoever supervises the service, and warned about. */
export function healthConfig(health: HealthSpec | undefined, warnings: string[]): HealthConfig | undefined {
  if (health === undefined) return undefined;
  if (health.check.type === "none") return { Test: ["NONE"] };
  // Without a test of its own Docker takes the image's, with these times.
  if (health.check.type === "image") return timesOf(health);
  if (health.check.type !== "command") {
    warnings.push(`health: the engine runs no ${health.check.type} checks, only commands; health stays "none" unless someone else checks`);
    return undefined;
  }
  const { command } = health.check;
  return { Test: typeof command === "string" ? ["CMD-SHELL", command] : ["CMD", ...command], ...timesOf(health) };
}

function timesOf(health: HealthSpec): HealthConfig {
  return {
    StartPeriod: ns(health.startGrace, defaults.startGraceMs),
    Interval: ns(health.interval, defaults.intervalMs),
    Timeout: ns(health.timeout, defaults.timeoutMs),
    Retries: health.retries ?? defaults.retries,
  };
}

function ns(value: number | string | undefined, defaultMs: number): number {
  const ms = value === undefined ? defaultMs : typeof value === "number" ? value : parseDuration(value);
  // Docker reads 0 as "its own default" and refuses what is shorter than a millisecond.
  return Math.max(1, Math.round(ms)) * nsPerMs;
}
