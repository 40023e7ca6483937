/** Which networks a container is in, whether it runs or not, and changes of running ones that are under way. */
import type { Database } from "../state/database.ts";
import { type Row, statement, textOf } from "./statements.ts";
import type { Membership } from "./types.ts";

export const membersSchema = `
create table if not exists network_members (
  key text not null,
  network text not null,
  position integer not null,
  aliases text not null,
  ipv4 text,
  ipv6 text,
  mac text,
  primary key (key, network)
) strict;
create table if not exists network_changes (
  key text not null,
  network text not null,
  kind text not null,
  primary key (key, network)
) strict;
create index if not exists network_members_by_ipv4 on network_members (network, ipv4) where ipv4 is not null;
create index if not exists network_members_by_ipv6 on network_members (network, ipv6) where ipv6 is not null;
`;

/** A connect or disconnect of a running container that was begun and not yet finished. */
export interface NetworkChange {
  readonly key: string;
  readonly network: string;
  readonly kind: "connect" | "disconnect";
}

/** In the order in which they were asked for. */
export function membershipsOf(db: Database, key: string): Membership[] {
  return statement(db, "select * from network_members where key = ? order by position").all(key).map(readMembership);
}

/** Of all keys, each as {@link membershipsOf}. */
export function allMemberships(db: Database): Map<string, Membership[]> {
  const rows = statement(db, "select * from network_members order by key, position").all();
  return new Map([...Map.groupBy(rows, ({ key }) => String(key))].map(([key, own]) => [key, own.map(readMembership)]));
}

/** Keys of a network's members, whether they run or not. */
export function membersOf(db: Database, network: string): string[] {
  return statement(db, "select key from network_members where network = ? order by key")
    .all(network)
    .map((row) => String(row.key));
}

/** Who asked for this very address. */
export function memberOfAddress(db: Database, network: string, address: string): string | undefined {
  const column = address.includes(":") ? "ipv6" : "ipv4";
  const row = statement(db, `select key from network_members where network = ? and ${column} = ?`).get(network, address);
  return row && String(row.key);
}

export function insertMembership(db: Database, key: string, member: Membership): void {
  const { network, aliases, ipv4 = null, ipv6 = null, macAddress = null } = member;
  const last = statement(db, "select coalesce(max(position), -1) last from network_members where key = ?").get(key)?.last;
  statement(db, "insert into network_members values (?, ?, ?, ?, ?, ?, ?)").run(
    key,
    network,
    Number(last) + 1,
    JSON.stringify(aliases),
    ipv4,
    ipv6,
    macAddress,
  );
}

export function deleteMembership(db: Database, key: string, network: string): boolean {
  return statement(db, "delete from network_members where key = ? and network = ?").run(key, network).changes > 0;
}

export function deleteMemberships(db: Database, key: string): void {
  statement(db, "delete from network_members where key = ?").run(key);
}

export function insertChange(db: Database, { key, network, kind }: NetworkChange): void {
  statement(db, "insert or replace into network_changes values (?, ?, ?)").run(key, network, kind);
}

export function deleteChange(db: Database, key: string, network: string): void {
  statement(db, "delete from network_changes where key = ? and network = ?").run(key, network);
}

export function allChanges(db: Database): NetworkChange[] {
  return statement(db, "select * from network_changes order by key, network")
    .all()
    .map((row) => ({ key: String(row.key), network: String(row.network), kind: row.kind === "connect" ? "connect" : "disconnect" }));
}

function readMembership(row: Row): Membership {
  return {
    network: String(row.network),
    aliases: JSON.parse(String(row.aliases)),
    ipv4: textOf(row.ipv4),
    ipv6: textOf(row.ipv6),
    macAddress: textOf(row.mac),
  };
}
