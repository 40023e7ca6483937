/** Which backend a container was given to, kept where it outlives this process. */
import { type ContainerId, containerIdToString } from "../../spec/container-id.ts";
import { type Database, openDatabase } from "../../state/database.ts";

const schema = "create table if not exists choices (key text primary key, backend text not null) strict";

export class ChoiceTable {
  readonly #db: Database;

  private constructor(db: Database) {
    this.#db = db;
  }

  static async open(path: string): Promise<ChoiceTable> {
    return new ChoiceTable(await openDatabase(path, [schema]));
  }

  get(id: ContainerId): string | undefined {
    const row = this.#db.prepare("select backend from choices where key = ?").get(containerIdToString(id));
    return row === undefined ? undefined : String(row["backend"]);
  }

  set(id: ContainerId, backend: string): void {
    this.#db.prepare("insert or replace into choices (key, backend) values (?, ?)").run(containerIdToString(id), backend);
  }

  delete(id: ContainerId): void {
    this.deleteKey(containerIdToString(id));
  }

  deleteKey(key: string): void {
    this.#db.prepare("delete from choices where key = ?").run(key);
  }

  all(): readonly { readonly key: string; readonly backend: string }[] {
    const rows = this.#db.prepare("select key, backend from choices").all();
    return rows.map((row) => ({ key: String(row["key"]), backend: String(row["backend"]) }));
  }

  close(): void {
    this.#db.close();
  }
}
