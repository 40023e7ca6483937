/**
 * Method 20: replicas that share the host's network each get a port of their own. It is part of the container's record, so it is
 * taken for as long as that exists.
 */
import { BerthError, messageOf } from "../../errors.ts";
import { errnoCode } from "../../internal/libc.ts";
import { probePort } from "../../network/port-probe.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { CompleteSpec } from "../../spec/service-spec.ts";
import type { ContainerRecord, ContainerStore } from "./container-store.ts";

const anyAddress = "0.0.0.0";
const attempts = 1000;

/** A container that belongs to no service listens where its own program says. */
export function takesPort(id: ContainerId, spec: CompleteSpec): boolean {
  return spec.networkMode.mode === "host" && !id.service.startsWith("standalone-");
}

/** A port free for TCP and UDP that no container has. Call it in the transaction that inserts the record. */
export function choosePort(store: ContainerStore): number {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const port = probePort("tcp", anyAddress, 0);
    if (!store.hasPort(port) && isFree("udp", port)) return port;
  }
  throw new BerthError("create_failed", `found no free port in ${attempts} attempts`, { reason: "no free port" });
}

/** Between create and start somebody else may have taken it. */
export function checkPort({ facts, key, name }: ContainerRecord): void {
  const port = facts.portOverride;
  if (port === undefined) return;
  try {
    probePort("tcp", anyAddress, port);
  } catch (cause) {
    const reason = `its port ${port} is taken by another program of the host (${messageOf(cause)}); end that, or remove the container and create it again`;
    throw new BerthError("start_failed", `cannot start container ${name}: ${reason}`, { id: key, reason, cause });
  }
}

export function portVariables({ facts }: ContainerRecord): Readonly<Record<string, string>> {
  const port = facts.portOverride;
  return port === undefined ? {} : { PORT: String(port), BERTH_PORT: String(port) };
}

function isFree(protocol: "tcp" | "udp", port: number): boolean {
  try {
    probePort(protocol, anyAddress, port);
    return true;
  } catch (error) {
    if (errnoCode(error) === "EADDRINUSE") return false;
    throw error;
  }
}
