/** What is probed, how often, and what counts (contract 1.3.8): the spec's check, else the image's HEALTHCHECK. */
import type { Healthcheck } from "./image-config.ts";
import type { HealthSpec } from "./service-spec.ts";

export type HealthProbe =
  /** Runs inside the container. */
  | { readonly type: "command"; readonly argv: readonly string[] }
  | { readonly type: "tcp"; readonly port: number }
  | { readonly type: "http"; readonly url: string; readonly expectStatus: number };

export interface HealthPlan {
  readonly probe: HealthProbe;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Failures this soon after the start do not count. */
  readonly startPeriodMs: number;
  /** So many failures in a row make it unhealthy. */
  readonly retries: number;
}

/** Docker's defaults, which is what whoever wrote the image had in mind. */
const imageDefaults = { intervalMs: 30_000, timeoutMs: 30_000, startPeriodMs: 0, retries: 3 };
const nanosecondsPerMs = 1_000_000;

/** `spec` as completed, times in milliseconds. `undefined`: nothing is probed. */
export function healthPlan(spec: HealthSpec | undefined, image: Healthcheck | undefined): HealthPlan | undefined {
  return spec === undefined ? imagePlan(image) : specPlan(spec, image);
}

function specPlan(spec: HealthSpec, image: Healthcheck | undefined): HealthPlan | undefined {
  const probe = probeOf(spec.check, image);
  if (probe === undefined) return undefined;
  return {
    probe,
    intervalMs: Number(spec.interval),
    timeoutMs: Number(spec.timeout),
    startPeriodMs: Number(spec.startGrace),
    retries: spec.retries ?? imageDefaults.retries,
  };
}

function probeOf(check: HealthSpec["check"], image: Healthcheck | undefined): HealthProbe | undefined {
  switch (check.type) {
    case "none":
      return undefined;
    case "image":
      return imagePlan(image)?.probe;
    case "command":
      return { type: "command", argv: typeof check.command === "string" ? shell(check.command) : check.command };
    case "tcp":
      // Port 0 stands for the service's first endpoint, which a container of its own has not.
      return check.port === 0 ? undefined : { type: "tcp", port: check.port };
    case "http":
      return { type: "http", url: check.url, expectStatus: check.expectStatus ?? 200 };
    default:
      return check satisfies never;
  }
}

function imagePlan(image: Healthcheck | undefined): HealthPlan | undefined {
  const [kind, ...words] = image?.test ?? [];
  const argv = kind === "CMD" ? words : kind === "CMD-SHELL" ? shell(words.join(" ")) : [];
  if (image === undefined || argv.length === 0) return undefined;
  const ms = (nanoseconds: number | undefined, otherwise: number): number => (nanoseconds ? nanoseconds / nanosecondsPerMs : otherwise);
  return {
    probe: { type: "command", argv },
    intervalMs: ms(image.interval, imageDefaults.intervalMs),
    timeoutMs: ms(image.timeout, imageDefaults.timeoutMs),
    startPeriodMs: ms(image.startPeriod, imageDefaults.startPeriodMs),
    retries: image.retries || imageDefaults.retries,
  };
}

function shell(text: string): readonly string[] {
  return ["/bin/sh", "-c", text];
}
