/**
 * Netlink, the kernel's socket for links, addresses, routes and nftables (RFC 3549, netlink(7)): a socket, and the framing
 * of messages and attributes. What the messages mean is told by those who send them. Everything is synchronous; a request
 * takes 10 to 100 microseconds.
 */
import { closeSync } from "node:fs";
import { call, callInBackground, ErrnoError, errnoCode } from "./libc.ts";

export const NETLINK = { ROUTE: 0, NETFILTER: 12 } as const;
export const NLM_F = { REQUEST: 1, ACK: 4, DUMP: 0x300, REPLACE: 0x100, EXCL: 0x200, CREATE: 0x400, APPEND: 0x800 } as const;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_DUMP_INTR = 0x10;
const headerBytes = 16;
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const MSG_DONTWAIT = 0x40;
const dumpAttempts = 10;
const sendDeclaration = "long send(int fd, const void *buffer, size_t length, int flags)";

/** One message to the kernel. `subject` names it in errors, as in `create link eth0`. */
export interface NetlinkRequest {
  readonly type: number;
  readonly flags: number;
  /** The fixed part that the message type prescribes, then the attributes. */
  readonly body: Uint8Array;
  readonly subject: string;
  /** Errors that mean the wanted state is there already, such as `EEXIST`. */
  readonly tolerate?: readonly string[] | undefined;
}

export interface NetlinkMessage {
  readonly type: number;
  readonly sequence: number;
  readonly flags: number;
  readonly body: Buffer;
}

/** Shared by all sockets: what arrives is copied out before anybody else runs. */
let buffer: Buffer | undefined;

/** Bound for its life to the network namespace of the thread that opened it. */
export class NetlinkSocket {
  readonly fd: number;
  #sequence = 0;

  constructor(protocol: number) {
    this.fd = call("int socket(int domain, int type, int protocol)", "AF_NETLINK", AF_NETLINK, SOCK_RAW_CLOEXEC, protocol);
  }

  /**
   * Sends all requests in one datagram; the kernel works them off in order, each for itself. Throws the first error that
   * its request does not tolerate. Answers what the kernel sent besides acknowledgements.
   */
  request(requests: readonly NetlinkRequest[]): NetlinkMessage[] {
    return this.#acknowledged(requests, this.#send(requests, NLM_F.ACK));
  }

  /**
   * As {@link request}, but the kernel works on a pool thread: removing a device keeps it waiting for tens of milliseconds.
   * The socket must not be used otherwise meanwhile.
   */
  async requestInBackground(requests: readonly NetlinkRequest[]): Promise<void> {
    const { first, datagram } = this.#encode(requests, NLM_F.ACK);
    await callInBackground(sendDeclaration, requests[0]?.subject ?? "", this.fd, datagram, datagram.length, 0);
    this.#acknowledged(requests, first);
  }

  #acknowledged(requests: readonly NetlinkRequest[], first: number): NetlinkMessage[] {
    const failures: Error[] = [];
    const answers: NetlinkMessage[] = [];
    let open = requests.length;
    while (open > 0) {
      for (const message of this.#receive(0)) {
        const request = requests[message.sequence - first];
        if (request === undefined) continue;
        if (message.type !== NLMSG_ERROR) {
          answers.push(message);
          continue;
        }
        open -= 1;
        const failure = failureOf(message, request);
        if (failure !== undefined) failures.push(failure);
      }
    }
    if (failures[0] !== undefined) throw failures[0];
    return answers;
  }

  /**
   * As {@link request} for a netfilter batch, which the kernel applies as a whole or not at all and acknowledges before the
   * send returns. The first and last request are its `begin` and `end`, which no answer is asked for.
   */
  requestBatch(requests: readonly NetlinkRequest[]): void {
    const first = this.#send(requests, 0);
    for (const message of this.#receiveAll()) {
      const request = requests[message.sequence - first];
      const failure = request && message.type === NLMSG_ERROR ? failureOf(message, request) : undefined;
      if (failure !== undefined) throw failure;
    }
  }

  /** All objects of a kind. Repeats when the kernel says that the list changed underneath. */
  dump(request: NetlinkRequest): NetlinkMessage[] {
    for (let attempt = 1; ; attempt += 1) {
      const messages = this.#dumpOnce(request);
      if (attempt === dumpAttempts || messages.every(({ flags }) => (flags & NLM_F_DUMP_INTR) === 0)) return messages;
    }
  }

  #dumpOnce(request: NetlinkRequest): NetlinkMessage[] {
    const sequence = this.#send([request], NLM_F.DUMP);
    const found: NetlinkMessage[] = [];
    for (;;) {
      for (const message of this.#receive(0)) {
        if (message.sequence !== sequence) continue;
        const failure = message.type === NLMSG_ERROR ? failureOf(message, request) : undefined;
        if (failure !== undefined) throw failure;
        if (message.type === NLMSG_DONE || message.type === NLMSG_ERROR) return found;
        found.push(message);
      }
    }
  }

  /** Answers the sequence number of the first request; the others follow it. */
  #send(requests: readonly NetlinkRequest[], extraFlags: number): number {
    const { first, datagram } = this.#encode(requests, extraFlags);
    call(sendDeclaration, requests[0]?.subject ?? "", this.fd, datagram, datagram.length, 0);
    return first;
  }

  #encode(requests: readonly NetlinkRequest[], extraFlags: number): { first: number; datagram: Buffer } {
    const first = this.#sequence + 1;
    this.#sequence += requests.length;
    return { first, datagram: Buffer.concat(requests.map((request, index) => encodeRequest(request, extraFlags, first + index))) };
  }

  #receiveAll(): NetlinkMessage[] {
    const all: NetlinkMessage[] = [];
    for (;;) {
      try {
        all.push(...this.#receive(MSG_DONTWAIT));
      } catch (error) {
        // One number with two names, of which Node's table yields either.
        if (errnoCode(error) === "EAGAIN" || errnoCode(error) === "EWOULDBLOCK") return all;
        throw error;
      }
    }
  }

  #receive(flags: number): NetlinkMessage[] {
    buffer ??= Buffer.allocUnsafeSlow(65536);
    for (;;) {
      try {
        const length = call("long recv(int fd, _Out_ void *buffer, size_t length, int flags)", "netlink", this.fd, buffer, buffer.length, flags);
        return decodeMessages(Buffer.from(buffer.subarray(0, length)));
      } catch (error) {
        if (errnoCode(error) !== "EINTR") throw error;
      }
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}

export function encodeRequest(request: NetlinkRequest, extraFlags: number, sequence: number): Buffer {
  const length = headerBytes + request.body.length;
  const frame = Buffer.alloc(align(length));
  frame.writeUInt32LE(length, 0);
  frame.writeUInt16LE(request.type, 4);
  frame.writeUInt16LE(request.flags | extraFlags | NLM_F.REQUEST, 6);
  frame.writeUInt32LE(sequence, 8);
  frame.set(request.body, headerBytes);
  return frame;
}

export function decodeMessages(datagram: Buffer): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  let offset = 0;
  while (offset + headerBytes <= datagram.length) {
    const length = datagram.readUInt32LE(offset);
    if (length < headerBytes || offset + length > datagram.length) break;
    messages.push({
      type: datagram.readUInt16LE(offset + 4),
      flags: datagram.readUInt16LE(offset + 6),
      sequence: datagram.readUInt32LE(offset + 8),
      body: datagram.subarray(offset + headerBytes, offset + length),
    });
    offset += align(length);
  }
  return messages;
}

function failureOf(message: NetlinkMessage, request: NetlinkRequest): Error | undefined {
  const errno = -message.body.readInt32LE(0);
  if (errno === 0) return undefined;
  const error = new ErrnoError("netlink", errno, request.subject);
  return request.tolerate?.includes(error.code) ? undefined : error;
}

function align(length: number): number {
  return (length + 3) & ~3;
}

/** Netlink keeps host byte order (little on every machine Node runs on here); netfilter wants {@link be32}. */
export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

export function be32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

/** A string attribute's value: UTF-8 and a final NUL. */
export function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

export function attribute(type: number, value: Uint8Array): Buffer {
  const bytes = Buffer.alloc(align(4 + value.length));
  bytes.writeUInt16LE(4 + value.length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(value, 4);
  return bytes;
}

const NLA_F_NESTED = 0x8000;

/** An attribute made of attributes. */
export function nested(type: number, ...parts: readonly Uint8Array[]): Buffer {
  return attribute(type | NLA_F_NESTED, Buffer.concat(parts));
}

/** Attributes by type, flags taken off; of equal types the last. */
export function readAttributes(bytes: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (const [type, value] of listAttributes(bytes)) found.set(type, value);
  return found;
}

export function listAttributes(bytes: Buffer): [type: number, value: Buffer][] {
  const found: [number, Buffer][] = [];
  let offset = 0;
  while (offset + 4 <= bytes.length) {
    const length = bytes.readUInt16LE(offset);
    if (length < 4 || offset + length > bytes.length) break;
    found.push([bytes.readUInt16LE(offset + 2) & 0x3fff, bytes.subarray(offset + 4, offset + length)]);
    offset += align(length);
  }
  return found;
}

/** The text of a {@link text} attribute. */
export function readText(value: Buffer | undefined): string {
  return value === undefined ? "" : value.toString("utf8").replace(/\0.*$/s, "");
}
