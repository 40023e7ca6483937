/** Restart policy, health check and logs of a spec (contract 1.3.7 to 1.3.9). */
import { durationMs, integer, invalid, nonEmptyText, oneOf, onlyKeys, optional, positiveDurationMs, record, text } from "./fields.ts";
import type { HealthSpec, LogsConfig, RestartPolicy } from "./service-spec.ts";

const restartKinds: Readonly<Record<string, RestartPolicy["kind"]>> = {
  no: "no",
  always: "always",
  unless_stopped: "unless_stopped",
  "unless-stopped": "unless_stopped",
  on_failure: "on_failure",
  "on-failure": "on_failure",
};

/** Delays become milliseconds; Docker's spellings become ours. */
export function completeRestartPolicy(value: unknown): RestartPolicy {
  const fields = optional(value, "restartPolicy", record);
  if (fields === undefined) return { kind: "no" };
  onlyKeys(fields, "restartPolicy", ["kind", "maxAttempts", "delay"]);
  const kind = restartKinds[nonEmptyText(fields["kind"], "restartPolicy.kind")];
  if (kind === undefined) throw invalid("restartPolicy.kind", `${JSON.stringify(fields["kind"])} is not one of no, always, unless_stopped, on_failure`);
  const maxAttempts = optional(fields["maxAttempts"], "restartPolicy.maxAttempts", integer(0, 0xffff_ffff)) || undefined;
  if (maxAttempts !== undefined && kind !== "on_failure") throw invalid("restartPolicy.maxAttempts", "goes only with kind on_failure");
  return { kind, maxAttempts, delay: optional(fields["delay"], "restartPolicy.delay", positiveDurationMs) };
}

/** Every time is milliseconds afterwards, every default filled in. */
export function completeHealth(value: unknown, field: string): HealthSpec {
  const fields = record(value, field);
  onlyKeys(fields, field, ["startGrace", "interval", "timeout", "retries", "check"]);
  const startGrace = optional(fields["startGrace"], `${field}.startGrace`, durationMs) ?? 5000;
  if (startGrace < 0) throw invalid(`${field}.startGrace`, "must not be negative");
  return {
    startGrace,
    interval: optional(fields["interval"], `${field}.interval`, positiveDurationMs) ?? 10_000,
    timeout: optional(fields["timeout"], `${field}.timeout`, positiveDurationMs) ?? 5000,
    retries: optional(fields["retries"], `${field}.retries`, integer(1, 0xffff_ffff)) ?? 3,
    check: completeCheck(fields["check"], `${field}.check`),
  };
}

function completeCheck(value: unknown, field: string): HealthSpec["check"] {
  const fields = record(value, field);
  const type = oneOf("tcp", "http", "command", "image", "none")(fields["type"], `${field}.type`);
  switch (type) {
    case "tcp":
      onlyKeys(fields, field, ["type", "port"]);
      return { type, port: optional(fields["port"], `${field}.port`, integer(0, 65535)) ?? 0 };
    case "http":
      onlyKeys(fields, field, ["type", "url", "expectStatus"]);
      return {
        type,
        url: httpUrl(fields["url"], `${field}.url`),
        expectStatus: optional(fields["expectStatus"], `${field}.expectStatus`, integer(100, 599)) ?? 200,
      };
    case "command":
      onlyKeys(fields, field, ["type", "command"]);
      return { type, command: checkCommand(fields["command"], `${field}.command`) };
    case "image":
    case "none":
      onlyKeys(fields, field, ["type"]);
      return { type };
    default:
      return type satisfies never;
  }
}

function checkCommand(value: unknown, field: string): string | readonly string[] {
  if (!Array.isArray(value)) return nonEmptyText(value, field);
  if (value.length === 0) throw invalid(field, "is empty; name a program");
  return value.map((word, index) => text(word, `${field}[${index}]`));
}

function httpUrl(value: unknown, field: string): string {
  const url = nonEmptyText(value, field);
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? "")) throw invalid(field, `${JSON.stringify(url)} is not an http or https URL`);
  return url;
}

export function completeLogs(value: unknown): LogsConfig {
  const fields = optional(value, "logs", record) ?? {};
  onlyKeys(fields, "logs", ["destination", "maxSizeBytes", "maxFiles", "retentionSecs"]);
  return {
    destination: optional(fields["destination"], "logs.destination", oneOf("disk", "memory")) ?? "disk",
    maxSizeBytes: optional(fields["maxSizeBytes"], "logs.maxSizeBytes", integer(1, Number.MAX_SAFE_INTEGER)) ?? 104_857_600,
    maxFiles: optional(fields["maxFiles"], "logs.maxFiles", integer(1, 10_000)) ?? 5,
    retentionSecs: optional(fields["retentionSecs"], "logs.retentionSecs", integer(0, Number.MAX_SAFE_INTEGER)) ?? 604_800,
  };
}
