/** Giving back: after a container, after a crash, and when nothing uses a network any more. */
import { setTimeout as delay } from "node:timers/promises";
import { forget, hostInterfacesOf, linkExists } from "./allocation.ts";
import type { NetworkContext } from "./context.ts";
import { removeBridge } from "./networks.ts";
import { allKeys, allLeases, allNetworks, allPorts, deleteOfKey, leasesOfNetwork, portsOfKey } from "./records.ts";
import { atomically } from "./statements.ts";
import { deleteLink, listLinks, namespaceLives, openRouteSocket } from "./rtnetlink.ts";
import { unpublish } from "./rules.ts";
import { deleteTable, listPublished, openNetfilterSocket, removePlaces } from "./set-elements.ts";

const graceMs = [1, 1, 2, 2, 4, 4, 8, 8, 16, 16];
const hostInterfacePattern = /^ve[0-9a-f]{10}$/;

/**
 * Gives back everything of a key: ports, the veth pair, leases. Doing it again does nothing. When the container's processes
 * have ended the kernel removes the pair by itself; it may be seen for some tens of milliseconds more. Otherwise we do.
 */
export async function release(context: NetworkContext, key: string): Promise<void> {
  const interfaces = hostInterfacesOf(context, key);
  const ports = portsOfKey(context.db, key);
  if (interfaces.length === 0 && ports.length === 0) return;
  unpublish(context, ports);
  for (const name of interfaces) await seeLinkOff(context, key, name);
  // Last, so that after a crash the records still tell what to look for.
  atomically(context.db, () => deleteOfKey(context.db, key));
  context.namespaceIds.delete(key);
}

/**
 * After a crash: gives back what belongs to keys that are not live, and removes veth pairs and published ports of ours that
 * no record knows. `live` is asked while the database is locked, so it may look there for what other processes are about to
 * start. Answers the keys that were given back.
 */
export function detachLeftovers(context: NetworkContext, live: { has(key: string): boolean }): string[] {
  return atomically(context.db, () => {
    const dead = allKeys(context.db).filter((key) => !live.has(key));
    for (const key of dead) forget(context, key);
    removeUnknownLinks(context);
    removeUnknownPorts(context);
    return dead;
  });
}

/** Removes bridges that no container uses, and with the last of them the nftables table. The next start makes them again. */
export function removeIdle(context: NetworkContext): void {
  atomically(context.db, () => {
    const networks = allNetworks(context.db);
    for (const network of networks) {
      if (leasesOfNetwork(context.db, network.name).length === 0) removeBridge(context, network);
    }
    if (allLeases(context.db).length > 0) return;
    using socket = openNetfilterSocket();
    deleteTable(socket, context.names.table);
  });
}

/** Waits until the kernel has removed the link, or is bound to; a namespace that processes still hold loses it here. */
async function seeLinkOff(context: NetworkContext, key: string, name: string): Promise<void> {
  for (const pauseMs of graceMs) {
    if (!linkExists(name) || namespaceEnded(context, key)) return;
    await delay(pauseMs);
  }
  using socket = openRouteSocket();
  await socket.requestInBackground([deleteLink(name)]);
}

/** Only the process that attached it can tell. */
function namespaceEnded({ namespaceIds }: NetworkContext, key: string): boolean {
  const id = namespaceIds.get(key);
  if (id === undefined) return false;
  using socket = openRouteSocket();
  return !namespaceLives(socket, id);
}

/** Ours are those with our kind of name on one of our bridges. */
function removeUnknownLinks(context: NetworkContext): void {
  using socket = openRouteSocket();
  const links = listLinks(socket);
  const bridgeNames = new Set(allNetworks(context.db).map(({ bridge }) => bridge));
  const bridges = new Set(links.filter(({ name }) => bridgeNames.has(name)).map(({ index }) => index));
  const known = new Set(allLeases(context.db).map((lease) => context.names.hostInterface(lease.key, lease.interfaceName)));
  const unknown = links.filter((link) => bridges.has(link.master) && hostInterfacePattern.test(link.name) && !known.has(link.name));
  if (unknown.length > 0) socket.request(unknown.map(({ name }) => deleteLink(name)));
}

function removeUnknownPorts(context: NetworkContext): void {
  using socket = openNetfilterSocket();
  const known = new Set(allPorts(context.db).map(placeText));
  const unknown = listPublished(socket, context.names.table).filter((place) => !known.has(placeText(place)));
  removePlaces(socket, context.names.table, unknown);
}

function placeText(place: { readonly protocol: string; readonly hostIp: string; readonly hostPort: number }): string {
  return `${place.protocol} ${place.hostIp} ${place.hostPort}`;
}
