import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { isBerthError } from "../errors.ts";
import { type Database, openDatabase, transaction } from "./database.ts";
import { Journal, type JournalEntry, journalSchema } from "./journal.ts";

interface Opened extends Disposable {
  readonly directory: string;
  readonly db: Database;
  readonly journal: Journal;
}

async function openJournal(retain?: number): Promise<Opened> {
  const directory = mkdtempSync(join(tmpdir(), "berth-journal-"));
  const dbPath = join(directory, "state.db");
  const db = await openDatabase(dbPath, [journalSchema]);
  const journal = new Journal({ db, dbPath, noticeFile: join(directory, "notice"), retain });
  const close = (): void => {
    journal[Symbol.dispose]();
    db.close();
    rmSync(directory, { recursive: true, force: true });
  };
  return { directory, db, journal, [Symbol.dispose]: close };
}

const entry = (action: string) => ({ time: 1, type: "container", action, actor: "a", attributes: { name: "x" } });

describe("the journal", () => {
  test("is empty at first, then numbers its entries from 1", async () => {
    using opened = await openJournal();
    const { journal } = opened;
    assert.deepEqual([journal.first, journal.last], [1, 0]);
    assert.deepEqual(await journal.read(0, 10), []);
    journal.append(entry("create"));
    journal.append({ ...entry("start"), container: "web-rep-1" });
    assert.deepEqual([journal.first, journal.last], [1, 2]);
    assert.deepEqual(await journal.read(1, 10), [{ ...entry("start"), sequence: 2, container: "web-rep-1" } satisfies JournalEntry]);
  });

  test("takes an entry back with the transaction it belongs to, and gives its number to the next one", async () => {
    using opened = await openJournal();
    const { db, journal } = opened;
    let told = 0;
    using _listening = journal.listen(() => told++);
    assert.throws(() =>
      transaction(db, () => {
        journal.append(entry("never"));
        throw new Error("no");
      }),
    );
    assert.equal(told, 0);
    transaction(db, () => journal.append(entry("create")));
    assert.ok(told > 0);
    assert.deepEqual(
      (await journal.read(0, 10)).map(({ sequence, action }) => [sequence, action]),
      [[1, "create"]],
    );
  });

  test("keeps the last entries, goes on counting, and says what it no longer has", async () => {
    using opened = await openJournal(1_500);
    const { journal } = opened;
    for (let n = 1; n <= 3_000; n++) journal.append(entry(`${n}`));
    assert.deepEqual([journal.first, journal.last], [1_501, 3_000]);
    assert.equal((await journal.read(1_500, 5_000)).length, 1_500);
    await assert.rejects(journal.read(1_499, 10), (error) => isBerthError(error, "not_found"));
  });

  test("written by several processes, one of them killed, has no gap, no repetition, and wakes who listens", { timeout: 60_000 }, async () => {
    using opened = await openJournal();
    const { directory, journal } = opened;
    const wake = { up: (): void => {} };
    using _listening = journal.listen(() => wake.up());
    const writers = Array.from({ length: 4 }, () => startWriter(directory));
    const seen: JournalEntry[] = [];
    let position = 0;
    const countOf = (pid: number | undefined): number => seen.filter(({ actor }) => actor === String(pid)).length;
    while (seen.length < 400 || writers.some(({ pid }) => countOf(pid) < 20)) {
      const entries = await journal.read(position, 50);
      seen.push(...entries);
      position = seen.at(-1)?.sequence ?? 0;
      if (countOf(writers[0]?.pid) >= 20) void writers[0]?.kill();
      if (entries.length === 0) await new Promise<void>((resolve) => (wake.up = resolve));
    }
    await Promise.all(writers.map((writer) => writer.kill()));
    assert.deepEqual(
      seen.map(({ sequence }) => sequence),
      seen.map((_, index) => index + 1),
    );
    const perWriter = Map.groupBy(seen, ({ actor }) => actor);
    assert.equal(perWriter.size, 4);
    for (const entries of perWriter.values()) {
      assert.deepEqual(
        entries.map(({ action }) => Number(action)),
        entries.map((_, index) => index),
      );
    }
    const last = journal.last;
    journal.append(entry("after"));
    assert.equal(journal.last, last + 1);
  });
});

/** Appends for as long as it lives. */
function startWriter(directory: string): { readonly pid: number | undefined; kill(): Promise<void> } {
  const [database, journal] = ["./database.ts", "./journal.ts"].map((file) => new URL(file, import.meta.url).href);
  const script = `
    import { openDatabase } from ${JSON.stringify(database)};
    import { Journal, journalSchema } from ${JSON.stringify(journal)};
    const dbPath = ${JSON.stringify(join(directory, "state.db"))};
    const journal = new Journal({ db: await openDatabase(dbPath, [journalSchema]), dbPath, noticeFile: ${JSON.stringify(join(directory, "notice"))} });
    for (let n = 0; ; n++) {
      journal.append({ time: Date.now(), type: "container", action: String(n), actor: String(process.pid), attributes: {} });
      await new Promise((resolve) => setTimeout(resolve, 1));
    }`;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], { stdio: ["ignore", "inherit", "inherit"] });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    pid: child.pid,
    kill: () => {
      child.kill("SIGKILL");
      return ended;
    },
  };
}
