import type { Database } from "../state/database.ts";
import { transaction, unsynced } from "../state/database.ts";
import type { Volume } from "./types.ts";

/**
 * A row is written before a volume's directory and goes after it: `creating` and `removing` are the intents that the next
 * process finishes when their own died. Whoever uses a volume (a container, by its key) has a row in `volume_users`.
 */
export const volumesSchema = `
create table if not exists volumes (
  name text primary key,
  state text not null,
  anonymous integer not null,
  labels text not null,
  options text not null,
  created_at real not null
) strict;
create table if not exists volume_users (
  volume text not null,
  user text not null,
  primary key (volume, user)
) strict, without rowid;
create table if not exists volume_mounts (
  volume text not null,
  user text not null,
  primary key (volume, user)
) strict, without rowid;
`;

export type VolumeState = "creating" | "ready" | "removing";

export interface VolumeRow extends Volume {
  readonly state: VolumeState;
}

export class VolumeRecords {
  readonly #db: Database;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(db: Database) {
    this.#db = db;
    this.#statements = prepare(db);
  }

  get(name: string): VolumeRow | undefined {
    const row = this.#statements.get.get(name);
    return row === undefined ? undefined : toRow(row);
  }

  list(): VolumeRow[] {
    return this.#statements.list.all().map(toRow);
  }

  /** What a process was making or removing, if it is not at work on it right now. */
  unfinished(): VolumeRow[] {
    return this.#statements.unfinished.all().map(toRow);
  }

  /** Says that the volume is about to be made; an intent need not outlive a power cut. */
  begin(volume: Volume, user: string | undefined): void {
    const { name, isAnonymous, labels, options, createdAt } = volume;
    unsynced(this.#db, () => {
      this.#statements.insert.run(name, "creating", isAnonymous ? 1 : 0, JSON.stringify(labels), JSON.stringify(options), createdAt);
      if (user !== undefined) this.#statements.use.run(name, user);
    });
  }

  /** `also` is part of the same transaction. */
  markReady(name: string, also: () => void): void {
    transaction(this.#db, () => {
      this.#statements.setState.run("ready", name);
      also();
    });
  }

  /** `false` unless the volume is ready: then it is made, or its removal finished, first. */
  use(name: string, user: string): boolean {
    return transaction(this.#db, () => {
      if (this.get(name)?.state !== "ready") return false;
      this.#statements.use.run(name, user);
      return true;
    });
  }

  usersOf(name: string): string[] {
    return this.#statements.users.all(name).map((row) => String(row.user));
  }

  volumesOf(user: string): string[] {
    return this.#statements.volumesOf.all(user).map((row) => String(row.volume));
  }

  allUsers(): string[] {
    return this.#statements.allUsers.all().map((row) => String(row.user));
  }

  dropUser(user: string): void {
    this.#statements.dropUser.run(user);
  }

  /** From here on nobody can begin to use it. Answers those who do already, but for `except`; then nothing was changed. */
  beginRemoval(name: string, except?: string): readonly string[] {
    return transaction(this.#db, () => {
      const users = this.usersOf(name);
      const others = users.filter((user) => user !== except);
      if (others.length === 0) this.#statements.setState.run("removing", name);
      return others;
    });
  }

  /** `also` is part of the same transaction. */
  delete(name: string, also: () => void = () => {}): void {
    transaction(this.#db, () => {
      this.#statements.delete.run(name);
      also();
    });
  }

  addMount(name: string, user: string): void {
    unsynced(this.#db, () => this.#statements.addMount.run(name, user));
  }

  /** Answers who still has it mounted. */
  dropMount(name: string, user: string): readonly string[] {
    return unsynced(this.#db, () => {
      this.#statements.dropMount.run(name, user);
      return this.#statements.mountsOfVolume.all(name).map((row) => String(row.user));
    });
  }

  mounts(): { readonly volume: string; readonly user: string }[] {
    return this.#statements.mounts.all().map((row) => ({ volume: String(row.volume), user: String(row.user) }));
  }

  mountsOf(user: string): string[] {
    return this.#statements.mountsOf.all(user).map((row) => String(row.volume));
  }
}

function prepare(db: Database) {
  return {
    get: db.prepare("select * from volumes where name = ?"),
    list: db.prepare("select * from volumes where state = 'ready' order by name"),
    unfinished: db.prepare("select * from volumes where state <> 'ready'"),
    insert: db.prepare("insert or replace into volumes (name, state, anonymous, labels, options, created_at) values (?, ?, ?, ?, ?, ?)"),
    setState: db.prepare("update volumes set state = ? where name = ?"),
    delete: db.prepare("delete from volumes where name = ?"),
    use: db.prepare("insert or ignore into volume_users (volume, user) values (?, ?)"),
    users: db.prepare("select user from volume_users where volume = ? order by user"),
    volumesOf: db.prepare("select volume from volume_users where user = ? order by volume"),
    allUsers: db.prepare("select distinct user from volume_users"),
    dropUser: db.prepare("delete from volume_users where user = ?"),
    addMount: db.prepare("insert or ignore into volume_mounts (volume, user) values (?, ?)"),
    dropMount: db.prepare("delete from volume_mounts where volume = ? and user = ?"),
    mountsOfVolume: db.prepare("select user from volume_mounts where volume = ?"),
    mountsOf: db.prepare("select volume from volume_mounts where user = ?"),
    mounts: db.prepare("select volume, user from volume_mounts"),
  };
}

function toRow(row: Record<string, unknown>): VolumeRow {
  return {
    name: String(row.name),
    state: row.state as VolumeState,
    isAnonymous: row.anonymous === 1,
    labels: JSON.parse(String(row.labels)) as Record<string, string>,
    options: JSON.parse(String(row.options)) as Record<string, string>,
    createdAt: Number(row.created_at),
  };
}
