/**
 * Networks of a container that runs. The change is written down before anything is done and crossed out by `finishChange` when
 * the caller has done its part, so that after a crash a connect is undone and a disconnect finished: both by `disconnectRunning`.
 */
import { BerthError } from "../errors.ts";
import { allocateFurther, deleteLinks, endpointsOf, gatewayEndpoint } from "./allocation.ts";
import { attachFurther, routeAgain } from "./attachment.ts";
import type { NetworkContext } from "./context.ts";
import { targetOf } from "./ports.ts";
import { allChanges, deleteChange, deleteMembership, insertChange, insertMembership } from "./members.ts";
import { deleteBinding, deleteLease, moveBinding, type PublishedPort } from "./records.ts";
import { atomically } from "./statements.ts";
import { openRouteSocket, setHairpin } from "./rtnetlink.ts";
import { bindingsOf, publish, unpublish } from "./rules.ts";
import type { Endpoint, Membership } from "./types.ts";

/** After a failure everything is as before. Throws as `allocate` and `attach` do. */
export function connectRunning(context: NetworkContext, key: string, member: Membership, pid: number): Endpoint {
  const { db } = context;
  const endpoint = atomically(db, () => {
    insertChange(db, { key, network: member.network, kind: "connect" });
    insertMembership(db, key, member);
    return allocateFurther(context, key, member);
  });
  try {
    const before = endpointsOf(context, key).filter(({ network }) => network !== member.network);
    attachFurther(context, endpoint, [...before, endpoint], pid);
    carryPorts(context, before, [...before, endpoint]);
  } catch (error) {
    disconnectRunning(context, key, member.network, pid);
    finishChange(context, key, member.network);
    throw error;
  }
  return endpoint;
}

/** Works from any state that a crash may leave. The lease stays until `finishChange`. `pid` is absent when the container has ended. */
export function disconnectRunning(context: NetworkContext, key: string, network: string, pid: number | undefined): void {
  const { db } = context;
  insertChange(db, { key, network, kind: "disconnect" });
  const all = endpointsOf(context, key);
  const left = all.filter((endpoint) => endpoint.network !== network);
  const gone = all.find((endpoint) => endpoint.network === network);
  if (gone !== undefined) {
    carryPorts(context, all, left);
    deleteLinks([gone.hostInterface]);
    if (pid !== undefined) routeAgain(left, pid);
  }
}

/** The last step of a connect or disconnect. Joins a transaction that is open. */
export function finishChange({ db }: NetworkContext, key: string, network: string): void {
  atomically(db, () => {
    const change = allChanges(db).find((one) => one.key === key && one.network === network);
    if (change?.kind === "disconnect") {
      deleteLease(db, key, network);
      deleteMembership(db, key, network);
    }
    deleteChange(db, key, network);
  });
}

/** Published ports follow the way out. */
function carryPorts(context: NetworkContext, before: readonly Endpoint[], after: readonly Endpoint[]): void {
  const ports = before.flatMap(bindingsOf);
  const target = gatewayEndpoint(after);
  if (ports.length === 0 || ports.every(({ address }) => address === target?.ipv4 || address === target?.ipv6?.address)) return;
  unpublish(context, ports);
  const moved = atomically(context.db, () => ports.flatMap((port) => movePort(context, port, target)));
  if (target === undefined) return;
  using socket = openRouteSocket();
  socket.request([setHairpin(target.hostInterface)]);
  publish(context, moved);
}

/** A port of a container without a fitting address is open nowhere until its next start. */
function movePort(context: NetworkContext, port: PublishedPort, target: Endpoint | undefined): PublishedPort[] {
  const address = target && targetOf(port, { ipv4: target.ipv4, ipv6: target.ipv6?.address });
  if (address === undefined || address.includes(":") !== port.hostIp.includes(":")) {
    deleteBinding(context.db, port);
    return [];
  }
  moveBinding(context.db, port, address);
  return [{ ...port, address }];
}

export function refuseSecondMembership(key: string, network: string): BerthError {
  return new BerthError("conflict", `container ${key} is connected to network ${network} already`, { id: key });
}
