/** Devices and privileges (contract 1.3.4) as Docker's host config. */
import { readFileSync } from "node:fs";
import type { HostConfig } from "../../docker-api/host-config.ts";
import { BerthError, messageOf } from "../../errors.ts";
import { parseSecurityOptions } from "../../spec/security-opt.ts";
import type { CompleteSpec, DeviceSpec } from "../../spec/service-spec.ts";

export function securityFields(spec: CompleteSpec): HostConfig {
  const { usernsMode } = spec;
  if (usernsMode !== undefined && usernsMode !== "" && usernsMode !== "host") {
    throw new BerthError("unsupported", `usernsMode ${JSON.stringify(usernsMode)}: an engine takes "host" only; its own remapping is a setting of the daemon`);
  }
  // Docker adds after dropping, unless all are dropped.
  const added = spec.capDrop.includes("ALL") ? spec.capabilities : spec.capabilities.filter((capability) => !spec.capDrop.includes(capability));
  return {
    ...(spec.privileged ? { Privileged: true } : {}),
    ...(added.length === 0 ? {} : { CapAdd: added }),
    ...(spec.capDrop.length === 0 ? {} : { CapDrop: spec.capDrop }),
    ...securityOptions(spec.securityOpt),
    ...(spec.readOnlyRootFs ? { ReadonlyRootfs: true } : {}),
    ...(usernsMode === "host" ? { UsernsMode: "host" } : {}),
    ...(spec.cgroupParent === undefined ? {} : { CgroupParent: spec.cgroupParent }),
    ...(Object.keys(spec.sysctls).length === 0 ? {} : { Sysctls: spec.sysctls }),
    ...(spec.extraGroups.length === 0 ? {} : { GroupAdd: spec.extraGroups }),
    ...ulimits(spec.ulimits),
  };
}

/** A seccomp profile is sent as text: the engine may be on another host. */
function securityOptions(options: readonly string[]): HostConfig {
  const parsed = parseSecurityOptions(options);
  if (parsed.writableCgroups) throw new BerthError("unsupported", "securityOpt writable-cgroups: this engine's API has no such option");
  const sent = [
    ...(parsed.seccomp === undefined ? [] : [`seccomp=${parsed.seccomp.startsWith("/") ? profileText(parsed.seccomp) : parsed.seccomp}`]),
    ...(parsed.apparmor === undefined ? [] : [`apparmor=${parsed.apparmor}`]),
    ...parsed.labels.map((label) => `label=${label}`),
    ...(parsed.noNewPrivileges ? ["no-new-privileges"] : []),
  ];
  return {
    ...(sent.length === 0 ? {} : { SecurityOpt: sent }),
    ...(parsed.systemPathsUnconfined ? { MaskedPaths: [], ReadonlyPaths: [] } : {}),
  };
}

function profileText(path: string): string {
  try {
    const text = readFileSync(path, "utf8");
    JSON.parse(text);
    return text;
  } catch (cause) {
    throw new BerthError("invalid_spec", `securityOpt seccomp=${path}: cannot be read as a JSON profile: ${messageOf(cause)}`, { cause });
  }
}

export function deviceMapping({ path, containerPath, read, write, mknod }: DeviceSpec): {
  readonly PathOnHost: string;
  readonly PathInContainer: string;
  readonly CgroupPermissions: string;
} {
  const written = `${read === true ? "r" : ""}${write === true ? "w" : ""}${mknod === true ? "m" : ""}`;
  return { PathOnHost: path, PathInContainer: containerPath ?? path, CgroupPermissions: written === "" ? "rw" : written };
}

function ulimits(limits: CompleteSpec["ulimits"]): HostConfig {
  const all = Object.entries(limits).map(([Name, { soft, hard }]) => ({ Name, Soft: soft, Hard: hard }));
  return all.length === 0 ? {} : { Ulimits: all };
}
