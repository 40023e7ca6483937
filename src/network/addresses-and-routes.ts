/** Messages of rtnetlink(7) for addresses and routes, and their answers read back. */
import { attribute, type NetlinkRequest, type NetlinkSocket, NLM_F, readAttributes, u32 } from "../internal/netlink.ts";
import { type IpSubnet, ipBytes, ipOfBytes, ipSubnet, ipText, parseIp } from "../spec/ip.ts";
import { addressBytes, broadcastOf, numberToAddress, type Subnet, subnetOf } from "./ipv4.ts";

const RTM = { NEWADDR: 20, GETADDR: 22, NEWROUTE: 24, DELROUTE: 25, GETROUTE: 26 } as const;
const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4, FLAGS: 8 } as const;
const IFA_F_NODAD = 2;
const RTA = { DST: 1, OIF: 4, GATEWAY: 5 } as const;
const AF_INET = 2;
const AF_INET6 = 10;
const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
const RTN_UNICAST = 1;

export interface LinkAddress {
  readonly index: number;
  readonly address: string;
  readonly prefix: number;
}

export interface Route {
  readonly destination: Subnet;
  readonly linkIndex: number;
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
