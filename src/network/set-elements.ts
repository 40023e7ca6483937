/** Elements of nftables sets and maps, changed over netlink. Keys and values are bytes as nftables stores them. */
import { errnoCode } from "../internal/libc.ts";
import {
  attribute,
  be32,
  listAttributes,
  NETLINK,
  type NetlinkRequest,
  NetlinkSocket,
  NLM_F,
  nested,
  readAttributes,
  readText,
  text,
} from "../internal/netlink.ts";
import { ipBytes, ipOfBytes, ipText, lastOf, parseIp, parseIpSubnet } from "../spec/ip.ts";
import type { Network, PortBinding } from "./types.ts";

const subsystem = 10;
const NFT_MSG = { GETTABLE: 1, DELTABLE: 2, GETSET: 10, NEWSETELEM: 12, GETSETELEM: 13, DELSETELEM: 14 } as const;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const NFPROTO_INET = 1;
const NFTA_TABLE_NAME = 1;
const NFTA_SET = { TABLE: 1, NAME: 2 } as const;
const NFTA_SET_ELEM_LIST = { TABLE: 1, SET: 2, ELEMENTS: 3 } as const;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM = { KEY: 1, DATA: 2, FLAGS: 3 } as const;
const NFTA_DATA_VALUE = 1;
const NFT_SET_ELEM_INTERVAL_END = 1;

export interface Element {
  readonly set: string;
  readonly key: Buffer;
  /** Only in maps. */
  readonly value?: Buffer | undefined;
  /** `true` for the first key behind an interval. */
  readonly intervalEnd?: boolean | undefined;
}

/** What the rules must know about a network. */
export function networkElements({ bridge, internal, subnet, ipv6 }: Network): Element[] {
  const name = interfaceBytes(bridge);
  const everywhere = [{ set: "bridges", key: name }, { set: "same", key: Buffer.concat([name, name]) }, ...intervalElements("subnets", subnet)];
  const six = ipv6 === undefined ? [] : intervalElements("subnets6", ipv6.subnet);
  return [...everywhere, ...six, ...(internal ? [] : [{ set: "outgoing", key: name }])];
}

function intervalElements(set: string, text: string): Element[] {
  const subnet = parseIpSubnet(text);
  const behind = { family: subnet.family, value: lastOf(subnet) + 1n };
  return [
    { set, key: ipBytes({ family: subnet.family, value: subnet.first }) },
    { set, key: ipBytes(behind), intervalEnd: true },
  ];
}

export function portElement(port: PortBinding, address: string): Element {
  return { ...placeElement(port), value: Buffer.concat([ipBytes(parseIp(address)), portBytes(port.containerPort)]) };
}

/** Where a port is published, whatever it leads to. */
export interface PublishedPlace {
  readonly protocol: "tcp" | "udp";
  readonly hostIp: string;
  readonly hostPort: number;
}

function placeElement({ protocol, hostIp, hostPort }: PublishedPlace): Element {
  const number = Buffer.from([protocol === "tcp" ? 6 : 17, 0, 0, 0]);
  const address = parseIp(hostIp);
  const maps = address.family === 4 ? "ports" : "ports6";
  if (address.value === 0n) return { set: `${maps}_any`, key: Buffer.concat([number, portBytes(hostPort)]) };
  return { set: `${maps}_addr`, key: Buffer.concat([number, ipBytes(address), portBytes(hostPort)]) };
}

export function openNetfilterSocket(): NetlinkSocket {
  return new NetlinkSocket(NETLINK.NETFILTER);
}

/** Adding what is there already, with the same value, changes nothing. */
export function addElements(socket: NetlinkSocket, table: string, elements: readonly Element[]): void {
  if (elements.length === 0) return;
  batch(
    socket,
    elements.map((element) => elementRequest(NFT_MSG.NEWSETELEM, table, element)),
  );
}

/** One batch for each element, since a missing one would undo the whole batch. Missing ones, and a missing table, are fine. */
export function removeElements(socket: NetlinkSocket, table: string, elements: readonly Element[]): void {
  for (const { set, key } of elements) {
    try {
      batch(socket, [elementRequest(NFT_MSG.DELSETELEM, table, { set, key })]);
    } catch (error) {
      if (errnoCode(error) !== "ENOENT") throw error;
    }
  }
}

export function removePlaces(socket: NetlinkSocket, table: string, places: readonly PublishedPlace[]): void {
  removeElements(socket, table, places.map(placeElement));
}

export function hasSet(socket: NetlinkSocket, table: string, set: string): boolean {
  const body = Buffer.concat([generation(NFPROTO_INET, 0), attribute(NFTA_SET.TABLE, text(table)), attribute(NFTA_SET.NAME, text(set))]);
  try {
    socket.request([{ type: typeOf(NFT_MSG.GETSET), flags: 0, subject: `get nftables set ${table} ${set}`, body }]);
    return true;
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return false;
    throw error;
  }
}

export function listTables(socket: NetlinkSocket): string[] {
  const body = generation(NFPROTO_INET, 0);
  return socket
    .dump({ type: typeOf(NFT_MSG.GETTABLE), flags: 0, subject: "list nftables tables", body })
    .map((message) => readText(readAttributes(message.body.subarray(4)).get(NFTA_TABLE_NAME)));
}

export function deleteTable(socket: NetlinkSocket, table: string): void {
  const body = Buffer.concat([generation(NFPROTO_INET, 0), attribute(NFTA_TABLE_NAME, text(table))]);
  batch(socket, [{ type: typeOf(NFT_MSG.DELTABLE), flags: 0, subject: `delete nftables table ${table}`, body, tolerate: ["ENOENT"] }]);
}

/** What a table of some Berth instance publishes; nothing when the table or its maps are not there. */
export function listPublished(socket: NetlinkSocket, table: string): PublishedPlace[] {
  const any = { ports_any: "0.0.0.0", ports6_any: "::" };
  const anywhere = Object.entries(any).flatMap(([set, hostIp]) => keysOf(socket, table, set).map((key) => placeOfKey(key, hostIp)));
  const addressed = ["ports_addr", "ports6_addr"].flatMap((set) => keysOf(socket, table, set).map((key) => placeOfKey(key)));
  return [...anywhere, ...addressed];
}

function placeOfKey(key: Buffer, hostIp: string = ipText(ipOfBytes(key.subarray(4, -4)))): PublishedPlace {
  return { protocol: key[0] === 6 ? "tcp" : "udp", hostIp, hostPort: key.readUInt16BE(key.length - 4) };
}

function keysOf(socket: NetlinkSocket, table: string, set: string): Buffer[] {
  const body = Buffer.concat([generation(NFPROTO_INET, 0), attribute(NFTA_SET_ELEM_LIST.TABLE, text(table)), attribute(NFTA_SET_ELEM_LIST.SET, text(set))]);
  try {
    return socket.dump({ type: typeOf(NFT_MSG.GETSETELEM), flags: 0, subject: `list nftables set ${table} ${set}`, body }).flatMap(({ body: answer }) => {
      const list = readAttributes(answer.subarray(4)).get(NFTA_SET_ELEM_LIST.ELEMENTS);
      return list === undefined ? [] : listAttributes(list).flatMap(([, element]) => keyOf(element) ?? []);
    });
  } catch (error) {
    if (errnoCode(error) === "ENOENT") return [];
    throw error;
  }
}

function keyOf(element: Buffer): Buffer | undefined {
  const key = readAttributes(element).get(NFTA_SET_ELEM.KEY);
  return key && readAttributes(key).get(NFTA_DATA_VALUE);
}

function elementRequest(message: number, table: string, element: Element): NetlinkRequest {
  return {
    type: typeOf(message),
    flags: message === NFT_MSG.NEWSETELEM ? NLM_F.CREATE : 0,
    subject: `change nftables set ${table} ${element.set}`,
    body: Buffer.concat([
      generation(NFPROTO_INET, 0),
      attribute(NFTA_SET_ELEM_LIST.TABLE, text(table)),
      attribute(NFTA_SET_ELEM_LIST.SET, text(element.set)),
      nested(NFTA_SET_ELEM_LIST.ELEMENTS, elementAttribute(element)),
    ]),
  };
}

function elementAttribute({ key, value, intervalEnd }: Element): Buffer {
  const parts = [nested(NFTA_SET_ELEM.KEY, attribute(NFTA_DATA_VALUE, key))];
  if (intervalEnd) parts.push(attribute(NFTA_SET_ELEM.FLAGS, be32(NFT_SET_ELEM_INTERVAL_END)));
  if (value !== undefined) parts.push(nested(NFTA_SET_ELEM.DATA, attribute(NFTA_DATA_VALUE, value)));
  return nested(NFTA_LIST_ELEM, ...parts);
}

function batch(socket: NetlinkSocket, requests: readonly NetlinkRequest[]): void {
  const border = (type: number): NetlinkRequest => ({ type, flags: 0, subject: requests[0]?.subject ?? "", body: generation(0, subsystem) });
  socket.requestBatch([border(NFNL_MSG_BATCH_BEGIN), ...requests, border(NFNL_MSG_BATCH_END)]);
}

/** `struct nfgenmsg`. */
function generation(family: number, resource: number): Buffer {
  return Buffer.from([family, 0, resource >> 8, resource & 255]);
}

function typeOf(message: number): number {
  return (subsystem << 8) | message;
}

function interfaceBytes(name: string): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.write(name);
  return bytes;
}

/** Fields of a concatenation are padded to four bytes. */
function portBytes(port: number): Buffer {
  return Buffer.from([port >> 8, port & 255, 0, 0]);
}
