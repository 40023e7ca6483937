/** Restart policy and log of a create body. */
import type { HostConfig } from "../../docker-api/host-config.ts";
import type { RestartPolicy, ServiceSpec } from "../../spec/service-spec.ts";
import { parseSize } from "../../spec/units.ts";
import { HttpError } from "../status.ts";

export function restartOf(host: Pick<HostConfig, "RestartPolicy" | "AutoRemove">): RestartPolicy | undefined {
  const { Name: name = "", MaximumRetryCount: maxAttempts = 0 } = host.RestartPolicy ?? {};
  if (maxAttempts < 0) throw new HttpError(400, "invalid restart policy: maximum retry count cannot be negative");
  if (maxAttempts > 0 && name !== "on-failure") {
    throw new HttpError(400, "invalid restart policy: maximum retry count can only be used with 'on-failure'");
  }
  if (name === "" || name === "no") return undefined;
  if (host.AutoRemove === true) throw new HttpError(400, "can't create 'AutoRemove' container with restart policy");
  if (name === "always") return { kind: "always" };
  if (name === "unless-stopped") return { kind: "unless_stopped" };
  if (name === "on-failure") return { kind: "on_failure", maxAttempts: maxAttempts || undefined };
  throw new HttpError(400, `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`);
}

/** One log of lines on disk stands behind every driver whose logs can be read. */
export function logsOf(host: HostConfig, warnings: string[]): ServiceSpec["logs"] {
  const { Type: type = "", Config: config } = host.LogConfig ?? {};
  if (!["", "json-file", "local", "none", "journald"].includes(type)) throw new HttpError(400, `logger: no log driver named '${type}' is registered`);
  if (type === "none" || type === "journald") warnings.push(`log driver ${type} is not available: logs are kept on disk`);
  const size = config?.["max-size"];
  if (size === undefined || size === "-1") return undefined;
  // Docker's is the size of each file.
  const maxFiles = Math.max(2, fileCount(config?.["max-file"]));
  return { maxSizeBytes: parseSize(size) * maxFiles, maxFiles };
}

function fileCount(text = "1"): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new HttpError(400, `failed to initialize logging driver: max-file must be a number of at least 1, not ${JSON.stringify(text)}`);
}
