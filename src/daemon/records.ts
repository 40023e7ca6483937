/**
 * What the daemon knows of containers beside the backend (contract 4.2): that they were made through it, and the Docker create
 * body, some fields of which have no other home. Loss of a record loses no container.
 */
import { randomUUID } from "node:crypto";
import type { ContainerCreateBody } from "../docker-api/containers.ts";
import { BerthError } from "../errors.ts";
import type { RequestStore } from "../http/docker/engine.ts";
import { type Database, openDatabase } from "../state/database.ts";

const schema = `
create table if not exists standalone_containers (
  hex_id text primary key,
  created_at real not null,
  body text not null
) strict;
create table if not exists daemon_facts (key text primary key, value text not null) strict;
`;

const cached = 2000;

export class Records implements RequestStore {
  readonly #db: Database;
  readonly #bodies = new Map<string, ContainerCreateBody | undefined>();
  readonly #statements: ReturnType<typeof prepare>;

  private constructor(db: Database) {
    this.#db = db;
    this.#statements = prepare(db);
  }

  /** Throws when the store cannot be read: without it, what belongs to us is unknown. */
  static async open(path: string): Promise<Records> {
    const db = await openDatabase(path, [schema]);
    // Written beside the backend's own record, which is the durable one.
    db.exec("pragma synchronous = normal");
    return new Records(db);
  }

  /**
   * The engine's id. It is kept with the records: hex ids are made from it, so a new one beside old records would cut them off.
   * `own` is the id the backend keeps itself, where it does. Throws `configuration`.
   */
  engineId(own: string | undefined): string {
    const known = this.#statements.fact.get("engine_id")?.value;
    const count = Number(this.#statements.count.get()?.n);
    if (count > 0 && known === undefined) throw new BerthError("configuration", "the daemon's state has containers but no engine id; restore it from a backup");
    if (count > 0 && own !== undefined && known !== own) {
      const remedy = "restore the backend's state, or remove the daemon's state to start anew";
      throw new BerthError("configuration", `the backend's engine id is ${own}, but the containers on record belong to ${String(known)}; ${remedy}`);
    }
    const id = own ?? (known === undefined ? randomUUID() : String(known));
    this.#statements.setFact.run("engine_id", id);
    return id;
  }

  ids(): string[] {
    return this.#statements.ids.all().map((row) => String(row.hex_id));
  }

  get(hexId: string): ContainerCreateBody | undefined {
    if (this.#bodies.has(hexId)) return this.#bodies.get(hexId);
    const row = this.#statements.get.get(hexId);
    const body = row === undefined ? undefined : (JSON.parse(String(row.body)) as ContainerCreateBody);
    this.#cache(hexId, body);
    return body;
  }

  put(hexId: string, body: ContainerCreateBody): void {
    this.#statements.put.run(hexId, Date.now(), JSON.stringify(body));
    this.#cache(hexId, body);
  }

  delete(hexId: string): void {
    this.#bodies.delete(hexId);
    this.#statements.delete.run(hexId);
  }

  close(): void {
    this.#db.close();
  }

  #cache(hexId: string, body: ContainerCreateBody | undefined): void {
    if (this.#bodies.size >= cached) this.#bodies.clear();
    this.#bodies.set(hexId, body);
  }
}

function prepare(db: Database) {
  return {
    ids: db.prepare("select hex_id from standalone_containers"),
    count: db.prepare("select count(*) as n from standalone_containers"),
    get: db.prepare("select body from standalone_containers where hex_id = ?"),
    put: db.prepare("insert or replace into standalone_containers (hex_id, created_at, body) values (?, ?, ?)"),
    delete: db.prepare("delete from standalone_containers where hex_id = ?"),
    fact: db.prepare("select value from daemon_facts where key = ?"),
    setFact: db.prepare("insert or replace into daemon_facts (key, value) values (?, ?)"),
  };
}
