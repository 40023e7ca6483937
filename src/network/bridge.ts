/** The bridge of a network, made when the first container needs it and made again after a reboot. */
import { readFileSync, writeFileSync } from "node:fs";
import { BerthError } from "../errors.ts";
import type { NetlinkSocket } from "../internal/netlink.ts";
import type { NetworkContext } from "./context.ts";
import { macOf, parseSubnet } from "./ipv4.ts";
import { addAddress, createBridge, findLink, type Link, listAddresses, listLinks, listRoutes, setLinkUp } from "./rtnetlink.ts";
import { addNetworkRules } from "./rules.ts";
import type { Network } from "./types.ts";

const largestMtu = 1500;

/** Answers the bridge, which is up, has its address and is known to the rules. Throws `network`. */
export function ensureBridge(context: NetworkContext, socket: NetlinkSocket, network: Network): Link {
  const found = findLink(socket, network.bridge);
  if (found?.up && context.completeBridges.get(network.bridge) === found.index) return found;
  const bridge = found !== undefined && isComplete(socket, found, network) ? found : completeBridge(context, socket, network);
  context.completeBridges.set(network.bridge, bridge.index);
  return bridge;
}

/** Up comes last when a bridge is made; the address tells whether it was made for this record or for an earlier one. */
function isComplete(socket: NetlinkSocket, bridge: Link, network: Network): boolean {
  return bridge.up && bridge.kind === "bridge" && listAddresses(socket).some(({ index, address }) => index === bridge.index && address === network.gateway);
}

/** Each step may find its work done, by another process or before a crash. */
function completeBridge(context: NetworkContext, socket: NetlinkSocket, network: Network): Link {
  socket.request([createBridge({ name: network.bridge, mac: macOf(network.gateway), mtu: mtuOfHost(socket) })]);
  const bridge = findLink(socket, network.bridge);
  if (bridge?.kind !== "bridge") {
    throw new BerthError("network", `interface ${network.bridge} exists and is no bridge; rename or delete it: ip link del ${network.bridge}`);
  }
  setKernelSwitch("net/ipv4/ip_forward");
  setKernelSwitch(`net/ipv4/conf/${network.bridge}/route_localnet`);
  addNetworkRules(context, network);
  socket.request([addAddress({ index: bridge.index, address: network.gateway, subnet: parseSubnet(network.subnet) }), setLinkUp(bridge.index)]);
  return bridge;
}

/** What fits through the way out, and not more than everybody expects. */
function mtuOfHost(socket: NetlinkSocket): number {
  const wayOut = listRoutes(socket).find(({ destination }) => destination.prefix === 0);
  const link = wayOut && listLinks(socket).find(({ index }) => index === wayOut.linkIndex);
  return Math.min(largestMtu, link?.mtu ?? largestMtu);
}

function setKernelSwitch(name: string): void {
  const path = `/proc/sys/${name}`;
  try {
    if (readFileSync(path, "utf8").trim() !== "1") writeFileSync(path, "1");
  } catch (cause) {
    throw new BerthError("network", `cannot switch on ${name}, which networks need; as root: sysctl -w ${name.replaceAll("/", ".")}=1`, { cause });
  }
}
