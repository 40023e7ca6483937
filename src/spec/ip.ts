/** Addresses and subnets of both families as values; nothing here talks to anybody. */
import { isIP, isIPv4, isIPv6 } from "node:net";
import { BerthError } from "../errors.ts";

export type IpFamily = 4 | 6;

export interface IpAddress {
  readonly family: IpFamily;
  readonly value: bigint;
}

/** `first` is the network address. */
export interface IpSubnet {
  readonly family: IpFamily;
  readonly first: bigint;
  readonly prefix: number;
}

/** Throws `invalid_spec`. */
export function parseIp(text: string): IpAddress {
  if (isIPv4(text)) return { family: 4, value: text.split(".").reduce((value, part) => value * 256n + BigInt(part), 0n) };
  if (!isIPv6(text) || text.includes("%")) throw new BerthError("invalid_spec", `${JSON.stringify(text)} is not an IP address`);
  return { family: 6, value: groupsOf(text).reduce((value, group) => value * 65536n + BigInt(group), 0n) };
}

/** The shortest form, as RFC 5952 has it. */
export function ipText({ family, value }: IpAddress): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join(".");
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - index * 16)) & 0xffffn).toString(16));
  return new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1);
}

export function ipBytes({ family, value }: IpAddress): Buffer {
  return Buffer.from(value.toString(16).padStart(family === 4 ? 8 : 32, "0"), "hex");
}

export function ipOfBytes(bytes: Uint8Array): IpAddress {
  return { family: bytes.length === 4 ? 4 : 6, value: BigInt(`0x${Buffer.from(bytes).toString("hex")}`) };
}

/** The same address in its shortest form. Throws `invalid_spec`. */
export function canonicalIp(text: string): string {
  return ipText(parseIp(text));
}

/** Reads `10.1.0.0/16` or `fd00:1::/64`; host bits are cleared. Throws `invalid_spec`. */
export function parseIpSubnet(text: string): IpSubnet {
  const [address = "", prefixText = "", ...rest] = text.split("/");
  const prefix = /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : -1;
  const family = isIP(address);
  if (family === 0 || rest.length > 0 || prefix < 0 || prefix > (family === 4 ? 32 : 128)) {
    throw new BerthError("invalid_spec", `${JSON.stringify(text)} is not a subnet; write it as 10.1.0.0/16 or fd00:1::/64`);
  }
  return ipSubnet(parseIp(address), prefix);
}

export function ipSubnet({ family, value }: IpAddress, prefix: number): IpSubnet {
  return { family, first: firstOf(family, value, prefix), prefix };
}

export function ipSubnetText({ family, first, prefix }: IpSubnet): string {
  return `${ipText({ family, value: first })}/${prefix}`;
}

/** The highest address; in IPv4 that is the broadcast address. */
export function lastOf({ family, first, prefix }: IpSubnet): bigint {
  return first + (1n << BigInt(bitsOf(family) - prefix)) - 1n;
}

export function ipWithin(subnet: IpSubnet, address: IpAddress): boolean {
  return subnet.family === address.family && firstOf(address.family, address.value, subnet.prefix) === subnet.first;
}

export function ipSubnetWithin(outer: IpSubnet, inner: IpSubnet): boolean {
  return inner.prefix >= outer.prefix && ipWithin(outer, { family: inner.family, value: inner.first });
}

export function ipSubnetsOverlap(a: IpSubnet, b: IpSubnet): boolean {
  return ipSubnetWithin(a, b) || ipSubnetWithin(b, a);
}

/** Whether a host may have this address: not the network's own nor, in IPv4, the broadcast address. */
export function isHostAddress(subnet: IpSubnet, address: IpAddress): boolean {
  if (!ipWithin(subnet, address) || address.value === subnet.first) return false;
  return subnet.family === 6 || address.value !== lastOf(subnet);
}

function bitsOf(family: IpFamily): number {
  return family === 4 ? 32 : 128;
}

function firstOf(family: IpFamily, value: bigint, prefix: number): bigint {
  const hostBits = BigInt(bitsOf(family) - prefix);
  return (value >> hostBits) << hostBits;
}

function groupsOf(text: string): number[] {
  const [head = "", tail] = dottedTail(text).split("::");
  const numbers = (part: string): number[] => (part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16)));
  if (tail === undefined) return numbers(head);
  const [front, back] = [numbers(head), numbers(tail)];
  return [...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back];
}

/** `::ffff:10.0.0.1` has its last two groups written as IPv4. */
function dottedTail(text: string): string {
  const dotted = /(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (dotted === null) return text;
  const [a, b, c, d] = dotted.slice(2).map(Number) as [number, number, number, number];
  return `${dotted[1]}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}
