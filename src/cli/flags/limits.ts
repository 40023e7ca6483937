import { resolve } from "node:path";
import { InvalidArgumentError } from "commander";
import type { DeviceSpec, RestartPolicy, UlimitInput } from "../../spec/service-spec.ts";
import { parseInteger, splitOnce } from "./values.ts";

/** Reads `--ulimit name=soft[:hard]`; `-1` or `unlimited` is no limit. */
export function parseUlimits(flags: readonly string[]): Record<string, UlimitInput> {
  return Object.fromEntries(
    flags.map((text) => {
      const [name, range] = splitOnce(text, "=");
      if (name === "" || !range) throw new InvalidArgumentError(`invalid ulimit ${JSON.stringify(text)}: expected name=soft[:hard].`);
      const [soft, hard] = splitOnce(range, ":");
      return [name, { soft: parseLimit(soft), hard: parseLimit(hard ?? soft) }];
    }),
  );
}

function parseLimit(text: string): number {
  return text === "unlimited" ? -1 : parseInteger(text);
}

/** Reads `--device /dev/x[:/dev/y][:rwm]`; without permissions the container may read, write and mknod, as with Docker. */
export function parseDevice(text: string): DeviceSpec {
  const parts = text.split(":");
  const permissions = parts.length > 1 && /^[rwm]{1,3}$/.test(parts.at(-1) ?? "") ? (parts.pop() ?? "") : "rwm";
  const [path = "", containerPath] = parts;
  if (!path.startsWith("/") || parts.length > 2 || (containerPath !== undefined && !containerPath.startsWith("/"))) {
    throw new InvalidArgumentError(`invalid device ${JSON.stringify(text)}: expected /dev/x[:/dev/y][:rwm].`);
  }
  const has = (letter: string): boolean => permissions.includes(letter);
  return { path, containerPath, read: has("r"), write: has("w"), mknod: has("m") };
}

/** Reads `--restart no|always|unless-stopped|on-failure[:max]`. */
export function parseRestart(text: string): RestartPolicy {
  const [kind, attempts] = splitOnce(text, ":");
  if (kind === "on-failure") {
    return { kind: "on_failure", maxAttempts: attempts === undefined ? undefined : parseInteger(attempts) };
  }
  if (attempts === undefined && (kind === "no" || kind === "always")) return { kind };
  if (attempts === undefined && kind === "unless-stopped") return { kind: "unless_stopped" };
  throw new InvalidArgumentError(`${JSON.stringify(text)} is none of no, always, unless-stopped and on-failure[:max].`);
}

/** `host:ip` of `--add-host host:ip` or `host=ip`. */
export function parseAddHost(text: string): string {
  const [host, ip] = splitOnce(text, text.includes("=") ? "=" : ":");
  if (host === "" || !ip) throw new InvalidArgumentError(`invalid host ${JSON.stringify(text)}: expected name:ip.`);
  return `${host}:${ip.replace(/^\[(.*)\]$/, "$1")}`;
}

/** `key=value` pairs of `--sysctl`. */
export function parseSysctls(flags: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    flags.map((text) => {
      const [key, value] = splitOnce(text, "=");
      if (key === "" || value === undefined) throw new InvalidArgumentError(`invalid sysctl ${JSON.stringify(text)}: expected key=value.`);
      return [key, value];
    }),
  );
}

/** The profile of `--security-opt seccomp=profile.json` is a file of the caller: relative names are his. */
export function absoluteSecurityOpt(text: string): string {
  const match = /^seccomp[=:](.+)$/.exec(text);
  return match?.[1] === undefined || match[1] === "unconfined" ? text : `seccomp=${resolve(match[1])}`;
}
