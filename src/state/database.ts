/**
 * The state store: one SQLite file that several processes may have open at once. Each room owns its tables and hands in
 * their `create table if not exists` statements; nobody else reads them.
 */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { BerthError } from "../errors.ts";
import { isDiskFull } from "../internal/disk-full.ts";
import { giveUpReserve, keepReserve, reserveOf } from "./reserve.ts";

export type Database = DatabaseSync;

const formatVersion = 1;

/**
 * Opens or creates the store. Every committed transaction is on disk before the call that made it returns
 * (`synchronous=FULL`). A store written by a newer Berth is a `configuration` error.
 */
export async function openDatabase(path: string, schemas: readonly string[]): Promise<Database> {
  const reserve = `${path}.reserve`;
  try {
    const db = await openOnce(path, schemas);
    keepReserve(db, reserve);
    return db;
  } catch (cause) {
    if (!isDiskFull(cause)) throw cause;
    if (!giveUpReserve(reserve)) throw new BerthError("internal", `no space left on the disk that holds ${path}; free some space and try again`, { cause });
    const db = await openOnce(path, schemas);
    keepReserve(db, reserve);
    return db;
  }
}

async function openOnce(path: string, schemas: readonly string[]): Promise<Database> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const { DatabaseSync } = await importSqlite();
  const db = new DatabaseSync(path, { timeout: 30_000 });
  db.exec("pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on;");
  const version = Number(db.prepare("pragma user_version").get()?.user_version);
  if (version > formatVersion) {
    db.close();
    throw new BerthError("configuration", `${path} was written by a newer berth (format ${version}, this one reads ${formatVersion}); upgrade berth`);
  }
  // Statements of the form "if not exists" only read where everything is there; a room that came later adds its tables here.
  for (const schema of schemas) db.exec(schema);
  if (version === 0) db.exec(`pragma user_version = ${formatVersion}`);
  return db;
}

/** What waits for the end of an open transaction. */
const committed = new WeakMap<Database, (() => void)[]>();

/**
 * All or nothing, and durable when it returns. `run` must be synchronous and short: other processes wait for it. On a full
 * disk it is called a second time, once there is a little space again.
 */
export function transaction<T>(db: Database, run: () => T): T {
  try {
    return attempt(db, run);
  } catch (error) {
    if (!isDiskFull(error) || !giveUpReserve(reserveOf(db))) throw error;
    return attempt(db, run);
  }
}

function attempt<T>(db: Database, run: () => T): T {
  db.exec("begin immediate");
  try {
    const result = run();
    db.exec("commit");
    const waiting = committed.get(db);
    committed.delete(db);
    for (const tell of waiting ?? []) tell();
    return result;
  } catch (error) {
    committed.delete(db);
    if (db.isTransaction) db.exec("rollback");
    throw error;
  }
}

/** In the transaction that is open, or in one of its own. */
export function inTransaction<T>(db: Database, run: () => T): T {
  return db.isTransaction ? run() : transaction(db, run);
}

/** Calls back once the open transaction is committed; never when it is rolled back. Without one, at once. */
export function afterCommit(db: Database, tell: () => void): void {
  if (!db.isTransaction) return tell();
  committed.set(db, [...(committed.get(db) ?? []), tell]);
}

/**
 * Writes that survive the death of every process but need not survive a power cut: they cost no sync of the disk. A later
 * synced transaction makes them durable too. Inside an open transaction they are part of that.
 */
export function unsynced<T>(db: Database, run: () => T): T {
  if (db.isTransaction) return run();
  db.exec("pragma synchronous = normal");
  try {
    return transaction(db, run);
  } finally {
    db.exec("pragma synchronous = full");
  }
}

/** Node 24 still calls its SQLite experimental on stderr at the first import; users of Berth cannot act on that. */
async function importSqlite(): Promise<typeof import("node:sqlite")> {
  const { emitWarning } = process;
  process.emitWarning = (warning: string | Error, ...rest: unknown[]) => {
    if (!String(warning).includes("SQLite")) Reflect.apply(emitWarning, process, [warning, ...rest]);
  };
  try {
    return await import("node:sqlite");
  } finally {
    process.emitWarning = emitWarning;
  }
}
