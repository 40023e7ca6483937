import type { FineLimits } from "../../runtime/resource-update.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { HealthDetail, MountDetail } from "../../runtime/types.ts";
import type { CompleteSpec, LogsConfig, PortMapping } from "../../spec/service-spec.ts";
import { ParsedColumn } from "./parsed-column.ts";
import { type Database, inTransaction, unsynced } from "../../state/database.ts";

/**
 * The durable records of containers. A row exists from the moment a create is acknowledged to the moment a remove is;
 * everything a container has on the host is named by its key, so what has no row can be cleaned up.
 */
export const containersSchema = `
create table if not exists containers (
  key text primary key,
  hex_id text not null unique,
  name text not null unique,
  image_id text not null,
  facts text not null,
  run text not null
) strict;
create table if not exists removed_containers (
  key text primary key,
  created_at real not null,
  removed_at real not null,
  run text not null
) strict;
create unique index if not exists containers_by_port on containers (facts ->> '$.portOverride');
create index if not exists containers_by_image on containers (image_id);
`;

/** What is fixed at create. */
export interface ContainerFacts {
  readonly id: ContainerId;
  readonly imageReference: string;
  /** As completed at create and changed by updates. */
  readonly spec: CompleteSpec;
  /** Of replicas on the host's network. */
  readonly portOverride?: number | undefined;
  /** Of updates, what the spec has no words for. */
  readonly fineLimits?: FineLimits | undefined;
  /** The container's own environment as given, references to secrets unresolved. */
  readonly command: readonly string[];
  readonly hostname: string;
  readonly createdAt: number;
  readonly warnings: readonly string[];
  /** Volumes, binds and tmpfs, as inspect shows them. */
  readonly mounts: readonly MountDetail[];
  /** Names of the anonymous volumes that go with the container. */
  readonly anonymousVolumes: readonly string[];
}

/** What changes from run to run. Times are milliseconds since the epoch. */
export interface ContainerRun {
  readonly status: "created" | "running" | "exited" | "failed";
  /** How often it was started, and how often a run ended. */
  readonly starts: number;
  readonly exits: number;
  readonly pid?: number | undefined;
  /** Start time of the pid in clock ticks: tells a used-again pid from ours. */
  readonly pidStart?: number | undefined;
  readonly monitorPid?: number | undefined;
  readonly monitorStart?: number | undefined;
  /** Of this run; another run has another. */
  readonly cgroup?: string | undefined;
  readonly startedAt?: number | undefined;
  readonly finishedAt?: number | undefined;
  readonly exitCode?: number | undefined;
  /** Number of the signal that ended it, when that is known for certain. */
  readonly exitSignal?: number | undefined;
  /** True when the kernel told the wait status, so that exit(137) is not taken for SIGKILL. */
  readonly exitIsExact?: boolean | undefined;
  readonly oomKilled?: boolean | undefined;
  /** Text of the failed start. */
  readonly error?: string | undefined;
  /** A user stop or kill suspends the restart policy. */
  readonly stoppedByUser?: boolean | undefined;
  /** When the policy starts it again; only after the end of a run, or of a start, that it cares about. */
  readonly restartAt?: number | undefined;
  /** How long the policy waits, or waited before this run. */
  readonly restartDelayMs?: number | undefined;
  /** Starts by the policy since the user's last one. */
  readonly restarts?: number | undefined;
  /** Of this run or the last one; only with a health check. Its instants are texts: see `healthOf`. */
  readonly health?: HealthDetail | undefined;
  /** What conmon runs after the exit sees to the restart when no engine is alive. */
  readonly hasExitKeeper?: boolean | undefined;
  readonly ports?: readonly PortMapping[] | undefined;
}

export interface ContainerRecord {
  readonly key: string;
  readonly hexId: string;
  readonly name: string;
  readonly imageId: string;
  readonly facts: ContainerFacts;
  readonly run: ContainerRun;
}

export class ContainerStore {
  readonly #db: Database;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #facts = new ParsedColumn<ContainerFacts>();
  readonly #runs = new ParsedColumn<ContainerRun>();

  constructor(db: Database) {
    this.#db = db;
    this.#statements = prepare(db);
  }

  get(key: string): ContainerRecord | undefined {
    const row = this.#statements.get.get(key);
    return row === undefined ? undefined : this.#toRecord(row);
  }

  list(): ContainerRecord[] {
    return this.#statements.list.all().map((row) => this.#toRecord(row));
  }

  /** Keys of running containers with how their logs are kept. */
  runningLogs(): { readonly key: string; readonly logs: LogsConfig }[] {
    return this.#statements.runningLogs.all().map((row) => ({ key: String(row.key), logs: JSON.parse(String(row.logs)) as LogsConfig }));
  }

  /** Those that may need to be watched over: with a restart to come, a health check, or a policy. */
  watched(): ContainerRecord[] {
    return this.#statements.watched.all().map((row) => this.#toRecord(row));
  }

  /** Whether a container was given this port of the host's network. */
  hasPort(port: number): boolean {
    return this.#statements.byPort.get(port) !== undefined;
  }

  byName(name: string): ContainerRecord | undefined {
    const row = this.#statements.byName.get(name);
    return row === undefined ? undefined : this.#toRecord(row);
  }

  /** All that `run` writes to the state store, or nothing of it. */
  atomically<T>(run: () => T): T {
    return inTransaction(this.#db, run);
  }

  /** Likewise, for what need not survive a power cut. */
  atomicallyUnsynced<T>(run: () => T): T {
    return unsynced(this.#db, run);
  }

  /** Names of the containers made from an image. */
  namesByImage(imageId: string): string[] {
    return this.#statements.namesByImage.all(imageId).map((row) => String(row.name));
  }

  insert(record: ContainerRecord): void {
    const { key, hexId, name, imageId, facts, run } = record;
    this.#statements.insert.run(key, hexId, name, imageId, JSON.stringify(facts), JSON.stringify(run));
  }

  setRun(key: string, run: ContainerRun): void {
    this.#statements.setRun.run(JSON.stringify(run), key);
  }

  /** Throws when another container has the name. */
  rename(key: string, name: string): void {
    this.#statements.rename.run(name, key);
  }

  /** Reads and replaces what is fixed but for updates, in one transaction. */
  updateFacts(key: string, change: (facts: ContainerFacts) => ContainerFacts): void {
    inTransaction(this.#db, () => {
      const record = this.get(key);
      if (record !== undefined) this.#statements.setFacts.run(JSON.stringify(change(record.facts)), key);
    });
  }

  /** Reads and replaces the run in one transaction; `change` answers `undefined` to leave it. */
  updateRun(key: string, change: (run: ContainerRun) => ContainerRun | undefined): ContainerRecord | undefined {
    return inTransaction(this.#db, () => {
      const record = this.get(key);
      if (record === undefined) return undefined;
      const run = change(record.run);
      if (run === undefined) return record;
      this.setRun(key, run);
      return { ...record, run };
    });
  }

  /** Removes the record and keeps for an hour how its last run ended: who waits for it may hear of the removal first. */
  delete(record: ContainerRecord): void {
    const now = Date.now();
    inTransaction(this.#db, () => {
      const last = this.get(record.key)?.run ?? record.run;
      this.#statements.forget.run(now - 3_600_000);
      this.#statements.bury.run(record.key, record.facts.createdAt, now, JSON.stringify(last));
      this.#statements.delete.run(record.key);
    });
  }

  /** The last run of a container that was removed a moment ago; `createdAt` tells it from a later one of the same key. */
  lastRunOfRemoved(key: string, createdAt: number): ContainerRun | undefined {
    const row = this.#statements.lastRun.get(key, createdAt);
    return row === undefined ? undefined : (JSON.parse(String(row.run)) as ContainerRun);
  }

  #toRecord(row: Record<string, unknown>): ContainerRecord {
    const key = String(row.key);
    return {
      key,
      hexId: String(row.hex_id),
      name: String(row.name),
      imageId: String(row.image_id),
      facts: this.#facts.parse(key, String(row.facts)),
      run: this.#runs.parse(key, String(row.run)),
    };
  }
}

function prepare(db: Database) {
  return {
    get: db.prepare("select * from containers where key = ?"),
    list: db.prepare("select * from containers order by rowid"),
    runningLogs: db.prepare("select key, facts -> '$.spec.logs' as logs from containers where run ->> 'status' = 'running'"),
    watched: db.prepare(`select * from containers where run ->> 'restartAt' is not null or
      (run ->> 'status' = 'running' and (run ->> 'health' is not null or facts ->> '$.spec.restartPolicy.kind' <> 'no'))`),
    byName: db.prepare("select * from containers where name = ?"),
    namesByImage: db.prepare("select name from containers where image_id = ? order by rowid"),
    insert: db.prepare("insert into containers (key, hex_id, name, image_id, facts, run) values (?, ?, ?, ?, ?, ?)"),
    byPort: db.prepare("select key from containers where facts ->> '$.portOverride' = ?"),
    setFacts: db.prepare("update containers set facts = ? where key = ?"),
    setRun: db.prepare("update containers set run = ? where key = ?"),
    rename: db.prepare("update containers set name = ? where key = ?"),
    delete: db.prepare("delete from containers where key = ?"),
    bury: db.prepare("insert or replace into removed_containers (key, created_at, removed_at, run) values (?, ?, ?, ?)"),
    forget: db.prepare("delete from removed_containers where removed_at < ?"),
    lastRun: db.prepare("select run from removed_containers where key = ? and created_at = ?"),
  };
}
