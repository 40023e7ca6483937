import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openDatabase } from "./database.ts";

test("tables of a room that came later are added to a store that is already there", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "berth-database-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, "state.db");
  (await openDatabase(path, ["create table if not exists early (x int) strict"])).close();
  const db = await openDatabase(path, ["create table if not exists early (x int) strict", "create table if not exists late (x int) strict"]);
  t.after(() => db.close());
  assert.equal(db.prepare("select count(*) as n from late").get()?.["n"], 0);
});
