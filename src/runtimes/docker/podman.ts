/**
 * Podman speaks Docker's API with a few accents (seen with 4.3). What concerns one call stands beside that call; here is what
 * changes whole bodies and words.
 */
import type { ContainerCreateBody } from "../../docker-api/containers.ts";
import type { PortBinding } from "../../docker-api/host-config.ts";
import type { Capabilities } from "../../runtime/capabilities.ts";
import type { EngineFacts } from "./context.ts";

/** Podman reads seconds without a sign; this is 68 years. */
export const foreverSeconds = 2 ** 31 - 1;

/** The same container in the words Podman understands, with Docker's defaults where it has others. */
export function podmanBody(body: ContainerCreateBody): ContainerCreateBody {
  const host = body.HostConfig ?? {};
  return {
    ...body,
    ...((body.StopTimeout ?? 0) < 0 ? { StopTimeout: foreverSeconds } : {}),
    HostConfig: {
      ...host,
      // 0 = none, and its own default is 2048.
      PidsLimit: Math.max(0, host.PidsLimit ?? 0),
      ...(host.ShmSize === undefined && host.IpcMode === undefined ? { ShmSize: dockersShmBytes } : {}),
      PortBindings: Object.fromEntries(Object.entries(host.PortBindings ?? {}).map(everyAddress)),
      ...(host.MaskedPaths?.length === 0 ? { SecurityOpt: [...(host.SecurityOpt ?? []), "unmask=ALL"] } : {}),
    },
  };
}

const dockersShmBytes = 64 * 1024 * 1024;

/** netavark 1.4 would wait for packets to the very address 0.0.0.0. */
function everyAddress([port, bindings]: readonly [string, readonly PortBinding[] | null]): readonly [string, readonly PortBinding[]] {
  return [port, (bindings ?? []).map((binding) => (binding.HostIp === "0.0.0.0" ? { ...binding, HostIp: "" } : binding))];
}

const podmanWords: Readonly<Record<string, Readonly<Record<string, string | undefined>>>> = {
  container: { remove: "destroy", exec: "exec_start", exec_died: "exec_die", init: undefined, cleanup: undefined, sync: undefined },
  volume: { remove: "destroy" },
};

/** Docker's word for an event; `undefined` for what Docker does not tell. */
export function dockerAction(type: string, action: string): string | undefined {
  const words = podmanWords[type];
  return words !== undefined && Object.hasOwn(words, action) ? words[action] : action;
}

export function capabilitiesOf({ isPodman, serverVersion }: EngineFacts, docker: Capabilities): Capabilities {
  if (!isPodman || hasUpdate(serverVersion)) return docker;
  return {
    ...docker,
    updateContainerResources: { support: "unsupported", reason: `Podman ${serverVersion} has no such call in Docker's API; 5.1 has` },
  };
}

function hasUpdate(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 5 || (major === 5 && minor >= 1);
}
