/** Whether a port of the host is free, found out by binding it for a moment. */
import { closeSync } from "node:fs";
import { call } from "../internal/libc.ts";
import { addressBytes } from "./ipv4.ts";

const AF_INET = 2;
const SOCK = { tcp: 1, udp: 2 } as const;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;

/**
 * Binds and lets go again; answers the port, which the kernel chose from `ip_local_port_range` when `port` is 0. Throws the
 * kernel's error: `EADDRINUSE`, `EADDRNOTAVAIL`.
 */
export function probePort(protocol: "tcp" | "udp", address: string, port: number): number {
  const subject = `${address}:${port}/${protocol}`;
  const fd = call("int socket(int domain, int type, int protocol)", subject, AF_INET, SOCK[protocol] | SOCK_CLOEXEC, 0);
  try {
    // As servers do it: connections that are merely fading out do not count. For UDP the option would hide a real owner.
    if (protocol === "tcp") {
      const on = new Int32Array([1]);
      call("int setsockopt(int fd, int level, int name, const void *value, unsigned int length)", subject, fd, SOL_SOCKET, SO_REUSEADDR, on, 4);
    }
    const name = socketAddress(address, port);
    call("int bind(int fd, const void *address, unsigned int length)", subject, fd, name, name.length);
    call("int getsockname(int fd, _Out_ void *address, _Inout_ unsigned int *length)", subject, fd, name, new Uint32Array([name.length]));
    return name.readUInt16BE(2);
  } finally {
    closeSync(fd);
  }
}

/** `struct sockaddr_in`. */
function socketAddress(address: string, port: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(addressBytes(address), 4);
  return bytes;
}
