/** Messages of rtnetlink(7) for links and namespaces, and their answers read back. */
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
import { macBytes } from "./ipv4.ts";

const RTM = { NEWLINK: 16, DELLINK: 17, GETLINK: 18, GETNSID: 90 } as const;
const IFLA = { ADDRESS: 1, IFNAME: 3, MTU: 4, MASTER: 10, LINKINFO: 18, NET_NS_FD: 28 } as const;
const IFLA_INFO = { KIND: 1, DATA: 2, SLAVE_KIND: 4, SLAVE_DATA: 5 } as const;
const IFLA_BRPORT_MODE = 4;
const VETH_INFO_PEER = 1;
const NETNSA = { NSID: 1, FD: 3 } as const;
const IFF_UP = 1;

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
