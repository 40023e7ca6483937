import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { CredentialStore } from "./credential-store.ts";
import { SecretStore } from "./secret-store.ts";

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "berth-secrets-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

describe("the secret store", () => {
  test("gives a value back to the next process, and has it in no file", async (t) => {
    const path = directory(t);
    await new SecretStore(path, {}).put("token", "correct horse");
    await new SecretStore(path, {}).put("@web/token", "battery staple");
    const store = new SecretStore(path, {});
    assert.equal(store.value("token"), "correct horse");
    assert.equal(store.value("@web/token"), "battery staple");
    assert.equal(store.value("other"), undefined);
    assert.deepEqual(
      store.list().map(({ name }) => name),
      ["@web/token", "token"],
    );
    for (const file of readdirSync(path)) {
      assert.doesNotMatch(readFileSync(join(path, file), "latin1"), /correct horse|battery/);
      assert.equal(statSync(join(path, file)).mode & 0o077, 0, file);
    }
  });

  test("a new value takes the old one's place, and a removal is final", async (t) => {
    const store = new SecretStore(directory(t), {});
    await store.put("token", "old");
    await store.put("token", "new");
    assert.equal(store.value("token"), "new");
    assert.equal(await store.remove("token"), true);
    assert.equal(await store.remove("token"), false);
    assert.equal(store.value("token"), undefined);
  });

  test("refuses names and values that cannot be, without the value in the error", async (t) => {
    const store = new SecretStore(directory(t), {});
    for (const name of ["", "a b", "@web", "@/x", "a/b", "../x"]) await assert.rejects(store.put(name, "hidden"), { code: "invalid_spec", message: /name/ });
    await assert.rejects(store.put("nul", "hid\0den"), (error: Error) => /NUL/.test(error.message) && !error.message.includes("hid"));
    await assert.rejects(store.put("large", "x".repeat(600_000)), { code: "invalid_spec", message: /larger/ });
  });

  test("an entry put under another name, or among the credentials, is not believed", async (t) => {
    const path = directory(t);
    const store = new SecretStore(path, {});
    await store.put("token", "value");
    const file = join(path, "secrets.json");
    const { key, entries } = JSON.parse(readFileSync(file, "utf8"));
    writeFileSync(file, JSON.stringify({ version: 1, key, entries: entries.map((entry: object) => ({ ...entry, name: "admin" })) }));
    assert.throws(() => store.value("admin"), { code: "configuration" });
    const stolen = { id: "1", registry: "token", kind: "basic", createdAt: "2026-01-01T00:00:00Z", sealed: entries[0].sealed };
    writeFileSync(join(path, "registries.json"), JSON.stringify({ version: 1, key, entries: [stolen] }));
    assert.throws(() => new CredentialStore(path, {}).secret("token"), { code: "configuration" });
  });
});
