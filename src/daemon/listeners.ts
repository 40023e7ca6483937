/** Sockets the daemon listens on: unix sockets, TCP with TLS, and those systemd hands over. */
import { X509Certificate } from "node:crypto";
import { chmodSync, chownSync, mkdirSync, readFileSync, readlinkSync, statSync, unlinkSync } from "node:fs";
import { connect, type Server } from "node:net";
import { dirname } from "node:path";
import type { ServerOptions as TlsOptions } from "node:https";
import { createSecureContext } from "node:tls";
import { BerthError, messageOf } from "../errors.ts";
import { type AddressSettings, type DaemonSettings, requireGuard } from "./options.ts";

export type Address =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  /** Taken over from systemd. */
  | { readonly kind: "fd"; readonly fd: number; readonly isUnix: boolean };

/** First descriptor of systemd's socket activation (sd_listen_fds(3)). */
const firstFd = 3;
const maxActivated = 64;
/** Longest time a client of the TCP socket has until we know who it is. */
const handshakeWithinMs = 15_000;

/** Throws `configuration` for an address that cannot be understood, and for a TCP socket of systemd that nothing would guard. */
export function parseAddresses(settings: AddressSettings, env: NodeJS.ProcessEnv): readonly Address[] {
  return settings.host.flatMap((text) => {
    if (text.startsWith("unix://")) return [unixAddress(text)];
    if (text.startsWith("tcp://")) return [tcpAddress(text)];
    if (text === "fd://") return activatedAddresses(settings, env);
    throw new BerthError("configuration", `host ${JSON.stringify(text)} is none of unix:///path, tcp://host:port and fd://`);
  });
}

function unixAddress(text: string): Address {
  const path = text.slice("unix://".length);
  if (!path.startsWith("/")) throw new BerthError("configuration", `host ${text}: the path must be absolute, as in unix:///run/berth/docker.sock`);
  // The kernel's limit for the name of a socket.
  if (Buffer.byteLength(path) > 107) throw new BerthError("configuration", `host ${text}: the path is longer than 107 bytes`);
  return { kind: "unix", path };
}

function tcpAddress(text: string): Address {
  const url = URL.parse(text.replace(/^tcp:/, "http:"));
  const host = url?.hostname.replace(/^\[|\]$/g, "") ?? "";
  if (url === null || host === "" || (url.pathname !== "/" && url.pathname !== ""))
    throw new BerthError("configuration", `host ${text} must be tcp://address:port`);
  return { kind: "tcp", host, port: Number(url.port || 2376) };
}

/** `LISTEN_PID` and `LISTEN_FDS`. */
function activatedAddresses(settings: AddressSettings, env: NodeJS.ProcessEnv): readonly Address[] {
  const count = Number(env["LISTEN_FDS"] ?? 0);
  if (env["LISTEN_PID"] !== String(process.pid) || !Number.isInteger(count) || count < 1 || count > maxActivated) {
    throw new BerthError("configuration", "host fd:// needs sockets from systemd: start berth.socket, or name a unix:// address");
  }
  const addresses = Array.from({ length: count }, (_, i) => ({ kind: "fd", fd: firstFd + i, isUnix: isUnixSocket(firstFd + i) }) as const);
  const tcp = addresses.find(({ isUnix }) => !isUnix);
  if (tcp !== undefined) requireGuard(settings, `fd:// with a TCP socket (descriptor ${tcp.fd})`);
  return addresses;
}

function isUnixSocket(fd: number): boolean {
  const inode = /^socket:\[(\d+)\]$/.exec(linkOf(fd))?.[1];
  if (inode === undefined) throw new BerthError("configuration", `host fd://: descriptor ${fd} is no socket; pass listening sockets from descriptor 3 on`);
  const lines = readFileSync("/proc/net/unix", "utf8").split("\n");
  return lines.some((line) => line.trim().split(/\s+/)[6] === inode);
}

function linkOf(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}

/** Binds and listens. A unix socket is closed to others until its owner and mode are right. */
export async function listen(server: Server, address: Address, group: number | undefined): Promise<void> {
  if (address.kind === "fd") return started(server, () => server.listen({ fd: address.fd }));
  if (address.kind === "tcp") return started(server, () => server.listen({ host: address.host, port: address.port }));
  mkdirSync(dirname(address.path), { recursive: true, mode: 0o711 });
  await removeStale(address.path);
  const before = process.umask(0o177);
  try {
    await started(server, () => server.listen({ path: address.path }));
  } finally {
    process.umask(before);
  }
  if (group !== undefined) {
    chownSync(address.path, process.getuid?.() ?? 0, group);
    chmodSync(address.path, 0o660);
  }
  return undefined;
}

function started(server: Server, begin: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    begin();
    server.once("listening", () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** What a killed daemon left. Where somebody still answers, we are one too many. */
async function removeStale(path: string): Promise<void> {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new BerthError("configuration", `${path} is there already and is no socket; remove it or choose another host`);
  if (await answers(path)) throw new BerthError("configuration", `another daemon listens on ${path}; stop it first or choose another host`);
  unlinkSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
  });
}

/** Group id of the unix sockets; `undefined` = root alone. Throws `configuration` for a named group that is not there. */
export function socketGroup(name: string | undefined, groups = readGroups()): number | undefined {
  if (name === undefined) return groups.get("berth") ?? groups.get("docker");
  if (/^\d+$/.test(name)) return Number(name);
  const id = groups.get(name);
  if (id === undefined) throw new BerthError("configuration", `group ${JSON.stringify(name)} does not exist; create it or leave group out`);
  return id;
}

function readGroups(): ReadonlyMap<string, number> {
  try {
    const lines = readFileSync("/etc/group", "utf8").split("\n");
    return new Map(lines.map((line) => line.split(":")).flatMap(([name, , id]) => (name && id ? [[name, Number(id)] as const] : [])));
  } catch {
    return new Map();
  }
}

/** Throws `configuration` when a file cannot be read, or is not the key or certificate it should be. */
export function tlsOptions(settings: DaemonSettings): TlsOptions | undefined {
  const { tlsCert, tlsKey, tlsCaCert } = settings;
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  const files = { cert: read(tlsCert), key: read(tlsKey), ...(tlsCaCert === undefined ? {} : { ca: read(tlsCaCert) }) };
  try {
    createSecureContext(files);
  } catch (cause) {
    const problem = `tls-cert ${tlsCert} and tls-key ${tlsKey} cannot be used: ${messageOf(cause)}`;
    throw new BerthError("configuration", `${problem}; both must be PEM, and the key the certificate's`, { cause });
  }
  const client = tlsCaCert === undefined ? {} : { requestCert: true, rejectUnauthorized: true };
  return { ...files, ...client, minVersion: "TLSv1.2", handshakeTimeout: handshakeWithinMs };
}

/** Names of the certificate, wildcards included. */
export function certificateNames(tls: TlsOptions | undefined): (host: string) => boolean {
  if (!(tls?.cert instanceof Buffer)) return () => false;
  const certificate = new X509Certificate(tls.cert);
  return (host) => certificate.checkHost(host) !== undefined;
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new BerthError("configuration", `cannot read ${path}: ${messageOf(cause)}`, { cause });
  }
}
