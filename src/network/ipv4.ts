/** IPv4 addresses and subnets as values; nothing here talks to anybody. */
import { isIPv4 } from "node:net";
import { BerthError } from "../errors.ts";

/** `first` is the network address as an unsigned 32-bit number. */
export interface Subnet {
  readonly first: number;
  readonly prefix: number;
}

export function addressToNumber(address: string): number {
  if (!isIPv4(address)) throw new BerthError("invalid_spec", `${JSON.stringify(address)} is not an IPv4 address`);
  return address.split(".").reduce((value, part) => value * 256 + Number(part), 0);
}

export function numberToAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
}

export function addressBytes(address: string): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(addressToNumber(address));
  return bytes;
}

/** Reads `10.1.0.0/16`; host bits are cleared. Throws `invalid_spec`. */
export function parseSubnet(text: string): Subnet {
  const [address = "", prefixText = ""] = text.split("/");
  const prefix = /^\d{1,2}$/.test(prefixText) ? Number(prefixText) : -1;
  if (!isIPv4(address) || prefix < 0 || prefix > 32) {
    throw new BerthError("invalid_spec", `${JSON.stringify(text)} is not an IPv4 subnet; write it as 10.1.0.0/16`);
  }
  return subnetOf(addressToNumber(address), prefix);
}

export function subnetOf(address: number, prefix: number): Subnet {
  return { first: firstOf(address, prefix), prefix };
}

export function subnetToText(subnet: Subnet): string {
  return `${numberToAddress(subnet.first)}/${subnet.prefix}`;
}

/** Number of addresses, network and broadcast address included. */
export function subnetSize(subnet: Subnet): number {
  return 2 ** (32 - subnet.prefix);
}

export function broadcastOf(subnet: Subnet): number {
  return subnet.first + subnetSize(subnet) - 1;
}

export function contains(subnet: Subnet, address: number): boolean {
  return firstOf(address, subnet.prefix) === subnet.first;
}

export function overlaps(a: Subnet, b: Subnet): boolean {
  const prefix = Math.min(a.prefix, b.prefix);
  return firstOf(a.first, prefix) === firstOf(b.first, prefix);
}

/** Docker's `02:42:` and the four bytes of the address: an address that is used again keeps its neighbours' ARP entries true. */
export function macOf(address: string): string {
  return ["02", "42", ...[...addressBytes(address)].map((byte) => byte.toString(16).padStart(2, "0"))].join(":");
}

export function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(":", ""), "hex");
}

function firstOf(address: number, prefix: number): number {
  return prefix === 0 ? 0 : (address & (-1 << (32 - prefix))) >>> 0;
}
