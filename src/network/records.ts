/**
 * The tables of this room. Functions here read and write single facts; what must hold together is put into one transaction
 * by the callers. Several processes share the database.
 */
import type { StatementSync } from "node:sqlite";
import { type Database, transaction } from "../state/database.ts";
import type { Network, PortBinding } from "./types.ts";

export const networkSchema = `
create table if not exists networks (
  name text primary key,
  id text not null unique,
  driver text not null,
  bridge text not null unique,
  subnet text not null,
  gateway text not null,
  internal integer not null,
  labels text not null,
  created_at integer not null,
  last_address integer not null
) strict;
create table if not exists leases (
  key text not null,
  network text not null references networks (name),
  interface text not null,
  address text not null,
  mac text not null,
  created_at integer not null,
  primary key (key, network),
  unique (network, address)
) strict;
create table if not exists port_bindings (
  protocol text not null,
  host_ip text not null,
  host_port integer not null,
  key text not null,
  container_port integer not null,
  address text not null,
  primary key (protocol, host_port, host_ip)
) strict;
create index if not exists port_bindings_by_key on port_bindings (key);
`;

export interface Lease {
  readonly key: string;
  readonly network: string;
  readonly interfaceName: string;
  readonly address: string;
  readonly mac: string;
}

/** A binding with the container's address it leads to. */
export type PublishedPort = PortBinding & { readonly key: string; readonly address: string };

const statements = new WeakMap<Database, Map<string, StatementSync>>();

/** Prepared once for each database: preparing takes longer than running. */
function statement(db: Database, sql: string): StatementSync {
  let known = statements.get(db);
  if (known === undefined) {
    known = new Map();
    statements.set(db, known);
  }
  const found = known.get(sql) ?? db.prepare(sql);
  known.set(sql, found);
  return found;
}

type Row = Readonly<Record<string, string | number | bigint | null | Uint8Array>>;

/** As `transaction`, but joins one that the caller has open already. */
export function atomically<T>(db: Database, run: () => T): T {
  return db.isTransaction ? run() : transaction(db, run);
}

export function insertNetwork(db: Database, network: Network, lastAddress: number): void {
  statement(db, "insert into networks values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)").run(
    network.name,
    network.id,
    network.driver,
    network.bridge,
    network.subnet,
    network.gateway,
    network.internal ? 1 : 0,
    JSON.stringify(network.labels),
    network.createdAt.getTime(),
    lastAddress,
  );
}

export function findNetwork(db: Database, name: string): Network | undefined {
  const row = statement(db, "select * from networks where name = ?").get(name);
  return row && readNetwork(row);
}

export function allNetworks(db: Database): Network[] {
  return statement(db, "select * from networks order by name").all().map(readNetwork);
}

export function deleteNetwork(db: Database, name: string): void {
  statement(db, "delete from networks where name = ?").run(name);
}

/** The address leased last, as a number: the next search starts behind it. */
export function lastAddress(db: Database, network: string): number {
  return Number(statement(db, "select last_address from networks where name = ?").get(network)?.last_address);
}

export function setLastAddress(db: Database, network: string, address: number): void {
  statement(db, "update networks set last_address = ? where name = ?").run(address, network);
}

export function insertLease(db: Database, lease: Lease): void {
  statement(db, "insert into leases values (?, ?, ?, ?, ?, ?)").run(lease.key, lease.network, lease.interfaceName, lease.address, lease.mac, Date.now());
}

export function leaseOfAddress(db: Database, network: string, address: string): Lease | undefined {
  const row = statement(db, "select * from leases where network = ? and address = ?").get(network, address);
  return row && readLease(row);
}

export function leasesOfKey(db: Database, key: string): Lease[] {
  return statement(db, "select * from leases where key = ? order by network").all(key).map(readLease);
}

export function leasesOfNetwork(db: Database, network: string): Lease[] {
  return statement(db, "select * from leases where network = ? order by key").all(network).map(readLease);
}

export function allLeases(db: Database): Lease[] {
  return statement(db, "select * from leases order by key").all().map(readLease);
}

export function insertPort(db: Database, port: PublishedPort): void {
  statement(db, "insert into port_bindings values (?, ?, ?, ?, ?, ?)").run(
    port.protocol,
    port.hostIp,
    port.hostPort,
    port.key,
    port.containerPort,
    port.address,
  );
}

/** Sorted as contract method 44 wants it. */
export function portsOfKey(db: Database, key: string): PublishedPort[] {
  return statement(db, "select * from port_bindings where key = ? order by container_port, protocol, host_ip, host_port").all(key).map(readPort);
}

/** Bindings of a host port, whatever their address. */
export function portsOfHostPort(db: Database, protocol: string, hostPort: number): PublishedPort[] {
  return statement(db, "select * from port_bindings where protocol = ? and host_port = ?").all(protocol, hostPort).map(readPort);
}

export function allPorts(db: Database): PublishedPort[] {
  return statement(db, "select * from port_bindings order by key").all().map(readPort);
}

export function deleteOfKey(db: Database, key: string): void {
  statement(db, "delete from port_bindings where key = ?").run(key);
  statement(db, "delete from leases where key = ?").run(key);
}

/** Keys that hold a lease or a port. */
export function allKeys(db: Database): string[] {
  return statement(db, "select key from leases union select key from port_bindings order by key")
    .all()
    .map((row) => String(row.key));
}

function readNetwork(row: Row): Network {
  return {
    id: String(row.id),
    name: String(row.name),
    driver: "bridge",
    bridge: String(row.bridge),
    subnet: String(row.subnet),
    gateway: String(row.gateway),
    internal: row.internal === 1,
    labels: JSON.parse(String(row.labels)),
    createdAt: new Date(Number(row.created_at)),
  };
}

function readLease(row: Row): Lease {
  return {
    key: String(row.key),
    network: String(row.network),
    interfaceName: String(row.interface),
    address: String(row.address),
    mac: String(row.mac),
  };
}

function readPort(row: Row): PublishedPort {
  return {
    protocol: row.protocol === "udp" ? "udp" : "tcp",
    hostIp: String(row.host_ip),
    hostPort: Number(row.host_port),
    key: String(row.key),
    containerPort: Number(row.container_port),
    address: String(row.address),
  };
}
