/** The bridge of a network, made when the first container needs it and made again after a reboot. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { BerthError } from "../errors.ts";
import type { NetlinkSocket } from "../internal/netlink.ts";
import type { NetworkContext } from "./context.ts";
import { parseIpSubnet } from "../spec/ip.ts";
import { macOf, parseSubnet } from "./ipv4.ts";
import { addAddress, addAddress6, listAddresses, listRoutes } from "./addresses-and-routes.ts";
import { createBridge, findLink, type Link, listLinks, setLinkUp } from "./rtnetlink.ts";
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
  socket.request([createBridge({ name: network.bridge, mac: macOf(network.gateway), mtu: network.mtu ?? mtuOfHost(socket) })]);
  const bridge = findLink(socket, network.bridge);
  if (bridge?.kind !== "bridge") {
    throw new BerthError("network", `interface ${network.bridge} exists and is no bridge; rename or delete it: ip link del ${network.bridge}`);
  }
  setKernelSwitch("net/ipv4/ip_forward");
  setKernelSwitch(`net/ipv4/conf/${network.bridge}/route_localnet`);
  if (network.ipv6 !== undefined) switchOnIpv6(network.bridge);
  addNetworkRules(context, network);
  const six = network.ipv6 && addAddress6({ index: bridge.index, address: network.ipv6.gateway, prefix: parseIpSubnet(network.ipv6.subnet).prefix });
  if (six !== undefined) socket.request([six]);
  socket.request([addAddress({ index: bridge.index, address: network.gateway, subnet: parseSubnet(network.subnet) }), setLinkUp(bridge.index)]);
  return bridge;
}

/**
 * A host that forwards IPv6 no longer heeds router advertisements, which may be where its own way out comes from: links
 * that did so go on doing it.
 */
function switchOnIpv6(bridge: string): void {
  const conf = "/proc/sys/net/ipv6/conf";
  writeSwitch(`${conf}/${bridge}/disable_ipv6`, "0");
  writeSwitch(`${conf}/${bridge}/accept_ra`, "0");
  // Addresses are ours alone: nothing is gained by asking the link for a second who else has them.
  writeSwitch(`${conf}/${bridge}/accept_dad`, "0");
  if (readFileSync(`${conf}/all/forwarding`, "utf8").trim() === "1") return;
  for (const link of readdirSync(conf)) {
    const path = `${conf}/${link}/accept_ra`;
    if (readFileSync(path, "utf8").trim() === "1") writeSwitch(path, "2");
  }
  setKernelSwitch("net/ipv6/conf/all/forwarding");
}

function writeSwitch(path: string, value: string): void {
  try {
    writeFileSync(path, value);
  } catch (cause) {
    throw new BerthError("network", `cannot write ${value} to ${path}; networks with IPv6 need a kernel that has it switched on`, { cause });
  }
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
