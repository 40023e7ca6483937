/** Flags about what happens over time: health checks and logs. */
import { InvalidArgumentError, Option } from "commander";
import type { HealthSpec, ServiceSpec } from "../../spec/service-spec.ts";
import { listOption, parseInteger, parseSize, splitOnce, tryParseDurationMs } from "./values.ts";

export interface PolicyFlags {
  readonly healthCmd?: string;
  readonly healthInterval?: number;
  readonly healthTimeout?: number;
  readonly healthRetries?: number;
  readonly healthStartPeriod?: number;
  readonly healthcheck?: boolean;
  readonly logDriver?: string;
  readonly logOpt?: readonly string[];
}

export function policyOptions(): readonly Option[] {
  return [
    new Option("--health-cmd <command>", "command run in the container to see whether it is well"),
    new Option("--health-interval <duration>", "time between two looks, such as 30s").argParser(parseDuration),
    new Option("--health-timeout <duration>", "how long one may take").argParser(parseDuration),
    new Option("--health-retries <number>", "how many failures in a row make it unhealthy").argParser(parseInteger),
    new Option("--health-start-period <duration>", "how long after the start failures do not count").argParser(parseDuration),
    new Option("--no-healthcheck", "do not use the image's HEALTHCHECK"),
    new Option("--log-driver <driver>", "k8s-file, json-file and local all mean Berth's own files"),
    listOption("--log-opt <key=value>", "max-size=10m, the size of one file, or max-file=3"),
  ];
}

/** Docker's zero is "the default". */
function parseDuration(text: string): number {
  const ms = text === "0" ? 0 : tryParseDurationMs(text);
  if (ms === undefined) throw new InvalidArgumentError(`${JSON.stringify(text)} is not a duration; expected something like 500ms, 30s or 1m30s.`);
  return ms;
}

/** Docker's defaults for what is not given, so that the same command line means the same. */
const dockerDefaults = { interval: 30_000, timeout: 30_000, retries: 3, startGrace: 0 };

export function healthOf(flags: PolicyFlags): HealthSpec | undefined {
  const given = [flags.healthCmd, flags.healthInterval, flags.healthTimeout, flags.healthRetries, flags.healthStartPeriod];
  const isGiven = given.some((value) => value !== undefined);
  if (flags.healthcheck === false) {
    if (isGiven) throw new InvalidArgumentError("--no-healthcheck conflicts with --health-* options.");
    return { check: { type: "none" } };
  }
  if (!isGiven) return undefined;
  return {
    interval: flags.healthInterval || dockerDefaults.interval,
    timeout: flags.healthTimeout || dockerDefaults.timeout,
    retries: flags.healthRetries || dockerDefaults.retries,
    startGrace: flags.healthStartPeriod ?? dockerDefaults.startGrace,
    check: flags.healthCmd === undefined ? { type: "image" } : { type: "command", command: flags.healthCmd },
  };
}

const drivers = ["k8s-file", "json-file", "local"];

/** Docker bounds the size of one file, Berth that of all of them. */
export function logsOf(flags: PolicyFlags): ServiceSpec["logs"] {
  if (flags.logDriver !== undefined && !drivers.includes(flags.logDriver)) {
    throw new InvalidArgumentError(`unknown log driver ${JSON.stringify(flags.logDriver)}; there are ${drivers.join(", ")}.`);
  }
  if (flags.logOpt === undefined) return undefined;
  const options = new Map(flags.logOpt.map((text) => splitOnce(text, "=")));
  for (const [key, value] of options) {
    if (!["max-size", "max-file"].includes(key) || value === undefined) {
      throw new InvalidArgumentError(`invalid log option ${JSON.stringify(key)}; there are max-size= and max-file=.`);
    }
  }
  const [size, files] = [options.get("max-size"), options.get("max-file")];
  if (files !== undefined && size === undefined) throw new InvalidArgumentError("max-file needs max-size: without it there is one file only.");
  if (size === undefined) return undefined;
  const maxFiles = Math.max(2, files === undefined ? 2 : parseInteger(files));
  return { maxSizeBytes: parseSize(size) * maxFiles, maxFiles };
}
