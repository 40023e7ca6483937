/** Opens one connection to an engine. */
import { createConnection, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import type { EngineEndpoint, EngineTls } from "./endpoint.ts";
import { type SshEndpoint, SshConnection } from "./ssh-connection.ts";

/** How long the kernel may hear nothing of a far engine before it asks. */
const keepAliveMs = 30_000;

export interface ConnectOptions {
  /** Instead of `ssh` on the path. */
  readonly sshProgram?: string | undefined;
}

/** A stream that connects by itself; failures are its `error` event. */
export function connectEngine(endpoint: EngineEndpoint, o: ConnectOptions = {}): Duplex {
  switch (endpoint.kind) {
    case "socket":
      return createConnection({ path: endpoint.path });
    case "tcp":
      return connectTcp(endpoint.host, endpoint.port, endpoint.tls);
    case "ssh":
      return connectSsh(endpoint, o);
  }
  return endpoint satisfies never;
}

function connectTcp(host: string, port: number, tls: EngineTls | undefined): Socket {
  const options = { host, port, keepAlive: true, keepAliveInitialDelay: keepAliveMs, noDelay: true };
  if (tls === undefined) return createConnection(options);
  const { ca, cert, key, verify } = tls;
  return connectTls({ ...options, ca, cert, key, rejectUnauthorized: verify, ALPNProtocols: ["http/1.1"] });
}

function connectSsh(endpoint: SshEndpoint, o: ConnectOptions): Duplex {
  return new SshConnection(endpoint, o.sshProgram);
}
