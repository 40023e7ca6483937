/** Messages of rtnetlink(7) for links, addresses and routes, and their answers read back. */
import {
  attribute,
  NETLINK,
  type NetlinkMessage,
  type NetlinkRequest,
  NetlinkSocket,
  NLM_F,
  nested,
  readAttributes,
  readText,
  text,
  u32,
} from "../internal/netlink.ts";
import { errnoCode } from "../internal/libc.ts";
import { type IpSubnet, ipBytes, ipOfBytes, ipSubnet, ipText, parseIp } from "../spec/ip.ts";
import { addressBytes, broadcastOf, macBytes, numberToAddress, type Subnet, subnetOf } from "./ipv4.ts";

const RTM = { NEWLINK: 16, DELLINK: 17, GETLINK: 18, NEWADDR: 20, GETADDR: 22, NEWROUTE: 24, DELROUTE: 25, GETROUTE: 26, GETNSID: 90 } as const;
const IFLA = { ADDRESS: 1, IFNAME: 3, MTU: 4, MASTER: 10, LINKINFO: 18, NET_NS_FD: 28 } as const;
const IFLA_INFO = { KIND: 1, DATA: 2, SLAVE_KIND: 4, SLAVE_DATA: 5 } as const;
const IFLA_BRPORT_MODE = 4;
const VETH_INFO_PEER = 1;
const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4, FLAGS: 8 } as const;
const IFA_F_NODAD = 2;
const RTA = { DST: 1, OIF: 4, GATEWAY: 5 } as const;
const NETNSA = { NSID: 1, FD: 3 } as const;
const IFF_UP = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
const RTN_UNICAST = 1;

export const loopbackIndex = 1;

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
  readonly mtu: number;
  /** Index of the bridge it is a port of; 0 without one. */
  readonly master: number;
  /** `bridge`, `veth`, …; empty for hardware. */
  readonly kind: string;
}

export interface LinkAddress {
  readonly index: number;
  readonly address: string;
  readonly prefix: number;
}

export interface Route {
  readonly destination: Subnet;
  readonly linkIndex: number;
}

/** In the network namespace of the calling thread. */
export function openRouteSocket(): NetlinkSocket {
  return new NetlinkSocket(NETLINK.ROUTE);
}

export function createBridge(o: { readonly name: string; readonly mac: string; readonly mtu: number }): NetlinkRequest {
  return {
    type: RTM.NEWLINK,
    flags: NLM_F.CREATE | NLM_F.EXCL,
    subject: `create bridge ${o.name}`,
    tolerate: ["EEXIST"],
    body: Buffer.concat([
      linkHeader({}),
      attribute(IFLA.IFNAME, text(o.name)),
      // A bridge without an address of its own changes it whenever a port comes or goes.
      attribute(IFLA.ADDRESS, macBytes(o.mac)),
      attribute(IFLA.MTU, u32(o.mtu)),
      nested(IFLA.LINKINFO, attribute(IFLA_INFO.KIND, text("bridge"))),
    ]),
  };
}

/**
 * Both ends in one message, each in its place: there is no moment at which a crash leaves one end astray. The host's end
 * is up; the peer must be set up later, the kernel refuses that before the pair is whole.
 */
export function createVeth(o: {
  readonly name: string;
  readonly master: number;
  readonly mtu: number;
  readonly peer: { readonly name: string; readonly mac: string; readonly namespaceFd: number };
}): NetlinkRequest {
  const peer = Buffer.concat([
    linkHeader({}),
    attribute(IFLA.IFNAME, text(o.peer.name)),
    attribute(IFLA.ADDRESS, macBytes(o.peer.mac)),
    attribute(IFLA.MTU, u32(o.mtu)),
    attribute(IFLA.NET_NS_FD, u32(o.peer.namespaceFd)),
  ]);
  return {
    type: RTM.NEWLINK,
    flags: NLM_F.CREATE | NLM_F.EXCL,
    subject: `create link ${o.name}`,
    body: Buffer.concat([
      linkHeader({ up: true }),
      attribute(IFLA.IFNAME, text(o.name)),
      attribute(IFLA.MTU, u32(o.mtu)),
      attribute(IFLA.MASTER, u32(o.master)),
      nested(IFLA.LINKINFO, attribute(IFLA_INFO.KIND, text("veth")), nested(IFLA_INFO.DATA, nested(VETH_INFO_PEER, peer))),
    ]),
  };
}

/**
 * Lets a port of a bridge send back through where it came in: with br_netfilter, that is the way of a container that calls
 * its own published port.
 */
export function setHairpin(name: string): NetlinkRequest {
  const mode = nested(IFLA_INFO.SLAVE_DATA, attribute(IFLA_BRPORT_MODE, Buffer.from([1])));
  return {
    type: RTM.NEWLINK,
    flags: 0,
    subject: `set hairpin mode of ${name}`,
    body: Buffer.concat([linkHeader({}), attribute(IFLA.IFNAME, text(name)), nested(IFLA.LINKINFO, attribute(IFLA_INFO.SLAVE_KIND, text("bridge")), mode)]),
  };
}

export function setLinkUp(index: number): NetlinkRequest {
  return { type: RTM.NEWLINK, flags: 0, subject: `set link ${index} up`, body: linkHeader({ index, up: true }) };
}

export function deleteLink(name: string): NetlinkRequest {
  return {
    type: RTM.DELLINK,
    flags: 0,
    subject: `delete link ${name}`,
    tolerate: ["ENODEV"],
    body: Buffer.concat([linkHeader({}), attribute(IFLA.IFNAME, text(name))]),
  };
}

export function addAddress(o: { readonly index: number; readonly address: string; readonly subnet: Subnet }): NetlinkRequest {
  const header = Buffer.alloc(8);
  header.set([AF_INET, o.subnet.prefix, 0, 0]);
  header.writeUInt32LE(o.index, 4);
  return {
    type: RTM.NEWADDR,
    flags: NLM_F.CREATE | NLM_F.EXCL,
    subject: `add address ${o.address}`,
    tolerate: ["EEXIST"],
    body: Buffer.concat([
      header,
      attribute(IFA.LOCAL, addressBytes(o.address)),
      attribute(IFA.ADDRESS, addressBytes(o.address)),
      attribute(IFA.BROADCAST, addressBytes(numberToAddress(broadcastOf(o.subnet)))),
    ]),
  };
}

/** Usable at once: nobody else can have it, so it need not be looked for on the link first. */
export function addAddress6(o: { readonly index: number; readonly address: string; readonly prefix: number }): NetlinkRequest {
  const header = Buffer.alloc(8);
  header.set([AF_INET6, o.prefix, 0, 0]);
  header.writeUInt32LE(o.index, 4);
  const bytes = ipBytes(parseIp(o.address));
  return {
    type: RTM.NEWADDR,
    flags: NLM_F.CREATE | NLM_F.EXCL,
    subject: `add address ${o.address}`,
    tolerate: ["EEXIST"],
    body: Buffer.concat([header, attribute(IFA.LOCAL, bytes), attribute(IFA.ADDRESS, bytes), attribute(IFA.FLAGS, u32(IFA_F_NODAD))]),
  };
}

/** Of the gateway's family. In place of one that is there. */
export function setDefaultRoute(o: { readonly index: number; readonly gateway: string }): NetlinkRequest {
  const gateway = parseIp(o.gateway);
  return {
    type: RTM.NEWROUTE,
    flags: NLM_F.CREATE | NLM_F.REPLACE,
    subject: `set default route by ${o.gateway}`,
    body: Buffer.concat([routeHeader(gateway.family), attribute(RTA.GATEWAY, ipBytes(gateway)), attribute(RTA.OIF, u32(o.index))]),
  };
}

export function deleteDefaultRoute(family: 4 | 6): NetlinkRequest {
  return { type: RTM.DELROUTE, flags: 0, subject: "delete default route", tolerate: ["ESRCH"], body: routeHeader(family) };
}

function routeHeader(family: 4 | 6): Buffer {
  const header = Buffer.alloc(12);
  header.set([family === 4 ? AF_INET : AF_INET6, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, 0, RTN_UNICAST]);
  return header;
}

/** `undefined` when there is none of that name. */
export function findLink(socket: NetlinkSocket, name: string): Link | undefined {
  const body = Buffer.concat([linkHeader({}), attribute(IFLA.IFNAME, text(name))]);
  try {
    const [answer] = socket.request([{ type: RTM.GETLINK, flags: 0, subject: `get link ${name}`, body }]);
    return answer && readLink(answer);
  } catch (error) {
    if (errnoCode(error) === "ENODEV") return undefined;
    throw error;
  }
}

export function listLinks(socket: NetlinkSocket): Link[] {
  return socket.dump({ type: RTM.GETLINK, flags: 0, subject: "list links", body: linkHeader({}) }).map(readLink);
}

/** IPv4 only. */
export function listAddresses(socket: NetlinkSocket): LinkAddress[] {
  const header = Buffer.alloc(8);
  header.set([AF_INET]);
  return socket.dump({ type: RTM.GETADDR, flags: 0, subject: "list addresses", body: header }).map(({ body }) => {
    const attributes = readAttributes(body.subarray(8));
    const bytes = attributes.get(IFA.LOCAL) ?? attributes.get(IFA.ADDRESS);
    return { index: body.readUInt32LE(4), address: numberToAddress(bytes?.readUInt32BE() ?? 0), prefix: body[1] ?? 32 };
  });
}

/** IPv4 unicast routes of the main table; the default route has prefix 0. */
export function listRoutes(socket: NetlinkSocket): Route[] {
  const header = Buffer.alloc(12);
  header.set([AF_INET]);
  return socket
    .dump({ type: RTM.GETROUTE, flags: 0, subject: "list routes", body: header })
    .filter(({ body }) => body[4] === RT_TABLE_MAIN && body[7] === RTN_UNICAST)
    .map(({ body }) => {
      const attributes = readAttributes(body.subarray(12));
      const destination = attributes.get(RTA.DST)?.readUInt32BE() ?? 0;
      return { destination: subnetOf(destination, body[1] ?? 0), linkIndex: attributes.get(RTA.OIF)?.readUInt32LE() ?? 0 };
    });
}

/** IPv6 only. */
export function listAddresses6(socket: NetlinkSocket): LinkAddress[] {
  const header = Buffer.alloc(8);
  header.set([AF_INET6]);
  return socket.dump({ type: RTM.GETADDR, flags: 0, subject: "list IPv6 addresses", body: header }).flatMap(({ body }) => {
    const bytes = readAttributes(body.subarray(8)).get(IFA.ADDRESS);
    return bytes === undefined ? [] : [{ index: body.readUInt32LE(4), address: ipText(ipOfBytes(bytes)), prefix: body[1] ?? 128 }];
  });
}

/** IPv6 unicast routes of the main table with a destination. */
export function listRoutes6(socket: NetlinkSocket): IpSubnet[] {
  const header = Buffer.alloc(12);
  header.set([AF_INET6]);
  return socket
    .dump({ type: RTM.GETROUTE, flags: 0, subject: "list IPv6 routes", body: header })
    .filter(({ body }) => body[4] === RT_TABLE_MAIN && body[7] === RTN_UNICAST)
    .flatMap(({ body }) => {
      const destination = readAttributes(body.subarray(12)).get(RTA.DST);
      return destination === undefined ? [] : [ipSubnet(ipOfBytes(destination), body[1] ?? 128)];
    });
}

/**
 * The number by which the namespace of this socket knows another one; it does once a veth pair leads there. `undefined`
 * when it does not.
 */
export function namespaceId(socket: NetlinkSocket, namespaceFd: number): number | undefined {
  const id = askNamespace(socket, attribute(NETNSA.FD, u32(namespaceFd)));
  return id === undefined || id < 0 ? undefined : id;
}

/**
 * `false` when the last process has left that namespace: the kernel is about to remove it with all its interfaces, which
 * takes it tens of milliseconds. Unlike questions about links, this one never waits for such a removal.
 */
export function namespaceLives(socket: NetlinkSocket, id: number): boolean {
  return askNamespace(socket, attribute(NETNSA.NSID, u32(id))) !== undefined;
}

function askNamespace(socket: NetlinkSocket, whom: Buffer): number | undefined {
  try {
    const [answer] = socket.request([{ type: RTM.GETNSID, flags: 0, subject: "get namespace id", body: Buffer.concat([Buffer.alloc(4), whom]) }]);
    return answer && readAttributes(answer.body.subarray(4)).get(NETNSA.NSID)?.readInt32LE();
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

function linkHeader(o: { readonly index?: number; readonly up?: boolean }): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(o.index ?? 0, 4);
  if (o.up) {
    header.writeUInt32LE(IFF_UP, 8);
    header.writeUInt32LE(IFF_UP, 12);
  }
  return header;
}

function readLink({ body }: NetlinkMessage): Link {
  const attributes = readAttributes(body.subarray(16));
  const info = attributes.get(IFLA.LINKINFO);
  return {
    index: body.readInt32LE(4),
    name: readText(attributes.get(IFLA.IFNAME)),
    up: (body.readUInt32LE(8) & IFF_UP) !== 0,
    mtu: attributes.get(IFLA.MTU)?.readUInt32LE() ?? 1500,
    master: attributes.get(IFLA.MASTER)?.readUInt32LE() ?? 0,
    kind: info === undefined ? "" : readText(readAttributes(info).get(IFLA_INFO.KIND)),
  };
}
