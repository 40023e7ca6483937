/**
 * The tables of this room. Functions here read and write single facts; what must hold together is put into one transaction
 * by the callers. Several processes share the database.
 */
import type { Database } from "../state/database.ts";
import { membersSchema } from "./members.ts";
import { atomically, type Row, statement, textOf } from "./statements.ts";
import type { Network, NetworkRange, PortBinding } from "./types.ts";

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
  last_address integer not null,
  ip_range text,
  ipv6 text,
  options text not null default '{}',
  mtu integer
) strict;
create table if not exists leases (
  key text not null,
  network text not null references networks (name),
  interface text not null,
  address text not null,
  mac text not null,
  created_at integer not null,
  address6 text,
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
${membersSchema}`;

export interface Lease {
  readonly key: string;
  readonly network: string;
  readonly interfaceName: string;
  readonly address: string;
  readonly mac: string;
  readonly address6?: string | undefined;
}

/** A binding with the container's address it leads to. */
export type PublishedPort = PortBinding & { readonly key: string; readonly address: string };

export function insertNetwork(db: Database, network: Network, lastAddress: number): void {
  statement(db, "insert into networks values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)").run(
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
    network.ipRange ?? null,
    network.ipv6 === undefined ? null : JSON.stringify(network.ipv6),
    JSON.stringify(network.options),
    network.mtu ?? null,
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
  const { key, network, interfaceName, address, mac, address6 = null } = lease;
  statement(db, "insert into leases values (?, ?, ?, ?, ?, ?, ?)").run(key, network, interfaceName, address, mac, Date.now(), address6);
}

export function deleteLease(db: Database, key: string, network: string): void {
  statement(db, "delete from leases where key = ? and network = ?").run(key, network);
}

export function leaseOfAddress6(db: Database, network: string, address: string): Lease | undefined {
  const row = statement(db, "select * from leases where network = ? and address6 = ?").get(network, address);
  return row && readLease(row);
}

export function leaseOfAddress(db: Database, network: string, address: string): Lease | undefined {
  const row = statement(db, "select * from leases where network = ? and address = ?").get(network, address);
  return row && readLease(row);
}

export function leasesOfKey(db: Database, key: string): Lease[] {
  return statement(db, "select * from leases where key = ? order by length(interface), interface").all(key).map(readLease);
}

export function leasesOfNetwork(db: Database, network: string): Lease[] {
  return statement(db, "select * from leases where network = ? order by key").all(network).map(readLease);
}

export function allLeases(db: Database): Lease[] {
  return statement(db, "select * from leases order by key, length(interface), interface").all().map(readLease);
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
  return statement(db, "select * from port_bindings order by key, container_port, protocol, host_ip, host_port").all().map(readPort);
}

/** Ports lead to another address of the same container from now on. */
export function moveBinding(db: Database, port: PublishedPort, address: string): void {
  const { protocol, hostIp, hostPort } = port;
  statement(db, "update port_bindings set address = ? where protocol = ? and host_port = ? and host_ip = ?").run(address, protocol, hostPort, hostIp);
}

export function deleteBinding(db: Database, { protocol, hostIp, hostPort }: PublishedPort): void {
  statement(db, "delete from port_bindings where protocol = ? and host_port = ? and host_ip = ?").run(protocol, hostPort, hostIp);
}

export function deleteOfKey(db: Database, key: string): void {
  statement(db, "delete from port_bindings where key = ?").run(key);
  statement(db, "delete from leases where key = ?").run(key);
  statement(db, "delete from network_changes where key = ?").run(key);
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
    ipRange: textOf(row.ip_range),
    ipv6: typeof row.ipv6 === "string" ? (JSON.parse(row.ipv6) as NetworkRange) : undefined,
    options: JSON.parse(String(row.options)),
    mtu: typeof row.mtu === "number" ? row.mtu : undefined,
  };
}

function readLease(row: Row): Lease {
  return {
    key: String(row.key),
    network: String(row.network),
    interfaceName: String(row.interface),
    address: String(row.address),
    mac: String(row.mac),
    address6: textOf(row.address6),
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

const laterColumns: Readonly<Record<string, readonly string[]>> = {
  networks: ["ip_range text", "ipv6 text", "options text not null default '{}'", "mtu integer"],
  leases: ["address6 text"],
};

/** Gives tables that an earlier version made the columns that came later. */
export function upgradeNetworkTables(db: Database): void {
  for (const [table, columns] of Object.entries(laterColumns)) {
    const present = new Set(
      db
        .prepare(`select name from pragma_table_info('${table}')`)
        .all()
        .map((row) => row.name),
    );
    const missing = columns.filter((column) => !present.has(column.split(" ")[0] ?? ""));
    if (missing.length === 0) continue;
    atomically(db, () => {
      for (const column of missing) db.exec(`alter table ${table} add column ${column}`);
      if (table === "networks") db.exec("update networks set id = lower(hex(randomblob(32))) where length(id) <> 64");
    });
  }
}
