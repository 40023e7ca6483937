import { type Database, transaction } from "../state/database.ts";
import type { UploadedPart } from "./object-store.ts";

/** What this engine knows of the store, by volume key (`<service>_<volume>`). */
export const volumeSyncSchema = `
create table if not exists volume_sync (
  key text primary key,
  volume text not null,
  digest text,
  synced_at real,
  upload text
) strict;
`;

/** An upload that was begun and not completed. Its archive lies in the staging directory, under its digest. */
export interface PendingUpload {
  readonly digest: string;
  readonly uploadId: string;
  readonly partBytes: number;
  readonly parts: readonly UploadedPart[];
}

export interface SyncRecord {
  readonly key: string;
  readonly volume: string;
  /** Of what this engine last wrote to the store or took from it. */
  readonly digest?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly syncedAt?: number | undefined;
  readonly pending?: PendingUpload | undefined;
}

export class SyncRecords {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  get(key: string): SyncRecord | undefined {
    const row = this.#db.prepare("select * from volume_sync where key = ?").get(key);
    return row === undefined ? undefined : toRecord(row);
  }

  ofVolume(volume: string): SyncRecord[] {
    return this.#db.prepare("select * from volume_sync where volume = ? order by key").all(volume).map(toRecord);
  }

  setSynced(key: string, volume: string, digest: string): void {
    const sql = `insert into volume_sync (key, volume, digest, synced_at, upload) values (?, ?, ?, ?, null)
      on conflict (key) do update set volume = excluded.volume, digest = excluded.digest, synced_at = excluded.synced_at, upload = null`;
    this.#db.prepare(sql).run(key, volume, digest, Date.now());
  }

  setPending(key: string, volume: string, pending: PendingUpload | undefined): void {
    const text = pending === undefined ? null : JSON.stringify(pending);
    transaction(this.#db, () => {
      this.#db.prepare("insert or ignore into volume_sync (key, volume) values (?, ?)").run(key, volume);
      this.#db.prepare("update volume_sync set upload = ? where key = ?").run(text, key);
    });
  }
}

function toRecord(row: Record<string, unknown>): SyncRecord {
  return {
    key: String(row.key),
    volume: String(row.volume),
    digest: row.digest === null ? undefined : String(row.digest),
    syncedAt: row.synced_at === null ? undefined : Number(row.synced_at),
    pending: row.upload === null ? undefined : (JSON.parse(String(row.upload)) as PendingUpload),
  };
}
