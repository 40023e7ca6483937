/** Whether a port of the host is free, found out by binding it for a moment. */
import { closeSync } from "node:fs";
import { call } from "../internal/libc.ts";
import { ipBytes, parseIp } from "../spec/ip.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK = { tcp: 1, udp: 2 } as const;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const setsockopt = "int setsockopt(int fd, int level, int name, const void *value, unsigned int length)";

/**
 * Binds and lets go again; answers the port, which the kernel chose from `ip_local_port_range` when `port` is 0. Throws the
 * kernel's error: `EADDRINUSE`, `EADDRNOTAVAIL`.
 */
export function probePort(protocol: "tcp" | "udp", address: string, port: number): number {
  const subject = `${address}:${port}/${protocol}`;
  const isV6 = parseIp(address).family === 6;
  const fd = call("int socket(int domain, int type, int protocol)", subject, isV6 ? AF_INET6 : AF_INET, SOCK[protocol] | SOCK_CLOEXEC, 0);
  try {
    // As servers do it: connections that are merely fading out do not count. For UDP the option would hide a real owner.
    const on = new Int32Array([1]);
    if (protocol === "tcp") call(setsockopt, subject, fd, SOL_SOCKET, SO_REUSEADDR, on, 4);
    if (isV6) call(setsockopt, subject, fd, IPPROTO_IPV6, IPV6_V6ONLY, on, 4);
    const name = socketAddress(address, port);
    call("int bind(int fd, const void *address, unsigned int length)", subject, fd, name, name.length);
    call("int getsockname(int fd, _Out_ void *address, _Inout_ unsigned int *length)", subject, fd, name, new Uint32Array([name.length]));
    return name.readUInt16BE(2);
  } finally {
    closeSync(fd);
  }
}

/** `struct sockaddr_in` or `struct sockaddr_in6`. */
function socketAddress(text: string, port: number): Buffer {
  const address = parseIp(text);
  const bytes = Buffer.alloc(address.family === 4 ? 16 : 28);
  bytes.writeUInt16LE(address.family === 4 ? AF_INET : AF_INET6, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(ipBytes(address), address.family === 4 ? 4 : 8);
  return bytes;
}
