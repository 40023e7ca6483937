import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { CredentialStore } from "./credential-store.ts";
import { storedAccounts } from "./lookup.ts";
import { passphraseVariable } from "./vault.ts";

const secret = { kind: "basic", username: "alice", password: "correct horse battery", authType: "basic" } as const;

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "berth-credentials-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Every file's bytes and names. */
function everything(path: string): string {
  return readdirSync(path)
    .map((name) => `${name}\n${readFileSync(join(path, name), "latin1")}`)
    .join("\n");
}

describe("the credential store", () => {
  test("keeps a secret encrypted, in files only their owner may read", async (t) => {
    const path = directory(t);
    const store = new CredentialStore(path, {});
    const entry = await store.put("ghcr.io", secret);
    assert.deepEqual(new CredentialStore(path, {}).secret("ghcr.io"), secret);
    assert.deepEqual(new CredentialStore(path, {}).secret(entry.id), secret);
    const text = everything(path);
    for (const form of [secret.password, Buffer.from(secret.password).toString("base64"), Buffer.from(`alice:${secret.password}`).toString("base64")]) {
      assert.ok(!text.includes(form), "the password is in no file");
    }
    for (const name of readdirSync(path)) assert.equal(statSync(join(path, name)).mode & 0o077, 0, name);
  });

  test("a key that others may read is refused with the remedy", async (t) => {
    const path = directory(t);
    const store = new CredentialStore(path, {});
    await store.put("ghcr.io", secret);
    chmodSync(join(path, "key"), 0o644);
    assert.throws(() => store.secret("ghcr.io"), { code: "configuration", message: /chmod 600/ });
  });

  test("another key, or an entry put in another's place, is no secret", async (t) => {
    const path = directory(t);
    const store = new CredentialStore(path, {});
    await store.put("ghcr.io", secret);
    const file = join(path, "registries.json");
    writeFileSync(file, readFileSync(file, "utf8").replace('"ghcr.io"', '"evil.example"'));
    assert.throws(() => store.secret("evil.example"), { code: "configuration", message: /log in again/ });
    writeFileSync(file, readFileSync(file, "utf8").replace('"evil.example"', '"ghcr.io"'));
    rmSync(join(path, "key"));
    assert.throws(() => store.secret("ghcr.io"), { code: "configuration", message: /cannot be read with this key/ });
  });

  test("a passphrase takes the place of the key file", async (t) => {
    const path = directory(t);
    await new CredentialStore(path, { [passphraseVariable]: "open sesame" }).put("ghcr.io", secret);
    assert.deepEqual(readdirSync(path).sort(), ["lock", "registries.json"]);
    assert.deepEqual(new CredentialStore(path, { [passphraseVariable]: "open sesame" }).secret("ghcr.io"), secret);
    assert.throws(() => new CredentialStore(path, {}).secret("ghcr.io"), { code: "configuration", message: new RegExp(passphraseVariable) });
    assert.throws(() => new CredentialStore(path, { [passphraseVariable]: "wrong" }).secret("ghcr.io"), { code: "configuration" });
  });

  test("a file that is damaged says so and quotes nothing", async (t) => {
    const path = directory(t);
    writeFileSync(join(path, "registries.json"), '{"entries": "hunter2');
    const store = new CredentialStore(path, {});
    assert.throws(
      () => store.list(),
      (error: Error) => /not a credential store/.test(error.message) && !error.message.includes("hunter2"),
    );
  });

  test("twenty changes at once are all kept", async (t) => {
    const path = directory(t);
    await Promise.all(Array.from({ length: 20 }, (_, index) => new CredentialStore(path, {}).put(`host${index}.example`, secret)));
    assert.equal(new CredentialStore(path, {}).list().length, 20);
    assert.deepEqual(new CredentialStore(path, {}).secret("host7.example"), secret);
  });
});

describe("whose account is shown", () => {
  const fromDocker = { username: "docker", password: "of-docker" };

  test("the store's entry wins, anonymous is nobody, docker_config and no entry ask docker's file", async (t) => {
    const store = new CredentialStore(directory(t), {});
    const find = storedAccounts(store, async () => fromDocker, {});
    assert.equal(await find("ghcr.io"), fromDocker);
    await store.put("ghcr.io", secret);
    assert.deepEqual(await find("ghcr.io"), { username: "alice", password: secret.password, authType: "basic" });
    await store.put("ghcr.io", { kind: "anonymous" });
    assert.equal(await find("ghcr.io"), undefined);
    await store.put("ghcr.io", { kind: "docker_config" });
    assert.equal(await find("ghcr.io"), fromDocker);
  });

  test("variables are read when they are needed, and a missing one is named", async (t) => {
    const store = new CredentialStore(directory(t), {});
    await store.put("ghcr.io", { kind: "env_var", username: "REG_USER", password: "REG_PASSWORD" });
    const find = (env: Record<string, string>) => storedAccounts(store, async () => fromDocker, env)("ghcr.io");
    assert.deepEqual(await find({ REG_USER: "bob", REG_PASSWORD: "of-bob" }), { username: "bob", password: "of-bob" });
    await assert.rejects(find({ REG_USER: "bob" }), { code: "configuration", message: /REG_PASSWORD/ });
  });
});
