/**
 * The journal of events: a table of the state store that every process with the state open appends to and follows.
 *
 * Its numbers come from SQLite's `autoincrement`: one more with each entry, given in the order of the commits, never given
 * again. An append inside a transaction is part of that, so a record and its event stand or fall together; any other append
 * costs no sync. What a reader is shown is synced first, so that no number it saw can come again after a power cut.
 */
import { closeSync, fdatasync, futimesSync, openSync, watch } from "node:fs";
import { promisify } from "node:util";
import { BerthError } from "../errors.ts";
import { afterCommit, type Database, unsynced } from "./database.ts";

export const journalSchema = `
create table if not exists events (
  sequence integer primary key autoincrement,
  time real not null,
  type text not null,
  action text not null,
  actor text not null,
  attributes text not null,
  container text
) strict;
`;

export interface NewJournalEntry {
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly type: string;
  readonly action: string;
  readonly actor: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Key of the container, for container events. */
  readonly container?: string | undefined;
}

export interface JournalEntry extends NewJournalEntry {
  readonly sequence: number;
}

export interface JournalOptions {
  readonly db: Database;
  /** Path of `db`: its write-ahead log lies beside it. */
  readonly dbPath: string;
  /** A file whose time stamp tells other processes of an append; need not outlive a reboot. */
  readonly noticeFile: string;
  /** How many entries are kept. Default 100,000. */
  readonly retain?: number | undefined;
}

/** Old entries are removed this many at a time. */
const trimStep = 1_000;
/** Catches an append whose writer was killed before it could tell. */
const fallbackMs = 1_000;

export class Journal implements Disposable {
  readonly #o: JournalOptions;
  readonly #retain: number;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #listeners = new Set<() => void>();
  readonly #noticeFd: number;

  constructor(o: JournalOptions) {
    this.#o = o;
    this.#retain = o.retain ?? 100_000;
    this.#statements = prepare(o.db);
    this.#noticeFd = openSync(o.noticeFile, "a", 0o600);
  }

  append(entry: NewJournalEntry): void {
    const { db } = this.#o;
    unsynced(db, () => {
      const { time, type, action, actor, attributes, container } = entry;
      const { lastInsertRowid } = this.#statements.append.run(time, type, action, actor, JSON.stringify(attributes), container ?? null);
      const sequence = Number(lastInsertRowid);
      if (sequence % trimStep === 0) this.#statements.trim.run(sequence - this.#retain);
      afterCommit(db, () => this.#tell());
    });
  }

  /** Number of the last entry ever made, 0 when there is none. */
  get last(): number {
    return Number(this.#statements.last.get("events")?.["seq"] ?? 0);
  }

  /** Number of the oldest entry kept; one more than `last` when none is. */
  get first(): number {
    const first = this.#statements.first.get()?.["first"];
    return typeof first === "number" ? first : this.last + 1;
  }

  /** At most `limit` entries after a number, in order. Throws `not_found` when some of them are no longer kept. */
  async read(after: number, limit: number): Promise<JournalEntry[]> {
    const entries = this.#statements.read.all(after, limit).map(toEntry);
    // Looked up after the read: an entry trimmed in between was read still.
    const expected = entries[0]?.sequence ?? this.first;
    if (expected > after + 1) {
      throw new BerthError("not_found", `events ${after + 1} to ${expected - 1} are no longer kept; list what there is and follow from now on`);
    }
    if (entries.length > 0) await this.#sync();
    return entries;
  }

  /** Keys of the containers in the entries after a number, and the number of the last of them; unsynced, for use inside the engine. */
  containersAfter(after: number): { readonly keys: readonly string[]; readonly last: number } {
    const rows = this.#statements.containers.all(after);
    return { keys: [...new Set(rows.map((row) => String(row["container"])))], last: Number(rows.at(-1)?.["sequence"] ?? after) };
  }

  /** Calls back after every append of any process, at times without one. Unless `keepAlive` is false, the process stays alive meanwhile. */
  listen(notify: () => void, o: { readonly keepAlive?: boolean } = {}): Disposable {
    const watcher = watch(this.#o.noticeFile, { persistent: o.keepAlive !== false }, notify);
    watcher.on("error", notify);
    const timer = setInterval(notify, fallbackMs);
    if (o.keepAlive === false) timer.unref();
    this.#listeners.add(notify);
    return {
      [Symbol.dispose]: () => {
        watcher.close();
        clearInterval(timer);
        this.#listeners.delete(notify);
      },
    };
  }

  [Symbol.dispose](): void {
    closeSync(this.#noticeFd);
  }

  #tell(): void {
    const now = new Date();
    futimesSync(this.#noticeFd, now, now);
    for (const notify of [...this.#listeners]) notify();
  }

  /** Locks of SQLite lie on other files, so opening and closing this one takes none away. */
  async #sync(): Promise<void> {
    const fd = openSync(`${this.#o.dbPath}-wal`, "r");
    try {
      await promisify(fdatasync)(fd);
    } finally {
      closeSync(fd);
    }
  }
}

function prepare(db: Database) {
  return {
    append: db.prepare("insert into events (time, type, action, actor, attributes, container) values (?, ?, ?, ?, ?, ?)"),
    read: db.prepare("select * from events where sequence > ? order by sequence limit ?"),
    first: db.prepare("select min(sequence) as first from events"),
    last: db.prepare("select seq from sqlite_sequence where name = ?"),
    containers: db.prepare(
      "select sequence, container from events where sequence > ? and container is not null and action not like 'exec_%' order by sequence",
    ),
    trim: db.prepare("delete from events where sequence <= ?"),
  };
}

function toEntry(row: Record<string, unknown>): JournalEntry {
  return {
    sequence: Number(row["sequence"]),
    time: Number(row["time"]),
    type: String(row["type"]),
    action: String(row["action"]),
    actor: String(row["actor"]),
    attributes: JSON.parse(String(row["attributes"])) as Record<string, string>,
    container: typeof row["container"] === "string" ? row["container"] : undefined,
  };
}
