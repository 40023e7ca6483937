/** Prepared statements, transactions and column values, for the tables of this room. */
import type { StatementSync } from "node:sqlite";
import { type Database, transaction } from "../state/database.ts";

const statements = new WeakMap<Database, Map<string, StatementSync>>();

/** Prepared once for each database: preparing takes longer than running. */
export function statement(db: Database, sql: string): StatementSync {
  let known = statements.get(db);
  if (known === undefined) {
    known = new Map();
    statements.set(db, known);
  }
  const found = known.get(sql) ?? db.prepare(sql);
  known.set(sql, found);
  return found;
}

export type Row = Readonly<Record<string, string | number | bigint | null | Uint8Array>>;

/** As `transaction`, but joins one that the caller has open already. */
export function atomically<T>(db: Database, run: () => T): T {
  return db.isTransaction ? run() : transaction(db, run);
}

export function textOf(value: Row[string] | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}
