import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { isBerthError } from "../errors.ts";
import { dockerConfigCredentials, presentCredentials, resolveCredentials } from "./credentials.ts";
import type { Credentials } from "./types.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");
let dir = "";

before(() => {
  dir = mkdtempSync(join(tmpdir(), "berth-credentials-"));
  mkdirSync(join(dir, "bin"));
  helper("good", `read -r server; echo "$server" >> ${dir}/asked; echo '{"ServerURL":"x","Username":"from-helper","Secret":"s3cret"}'`);
  helper("token", `echo '{"Username":"<token>","Secret":"identity"}'`);
  helper("empty", `echo "credentials not found in native keychain"; exit 1`);
  helper("broken", `echo "keychain is locked"; exit 1`);
  helper("babbling", `echo '{"Username":"u","Secret":"s3cret"'`);
  helper("home", `echo "{\\"Username\\":\\"$HOME\\",\\"Secret\\":\\"x\\"}"`);
});
after(() => rmSync(dir, { recursive: true }));

function helper(name: string, script: string): void {
  const path = join(dir, "bin", `docker-credential-${name}`);
  writeFileSync(path, `#!/bin/sh\n[ "$1" = get ] || exit 9\n${script}\n`);
  chmodSync(path, 0o755);
}

function lookUp(config: unknown, registry: string): Promise<Credentials | undefined> {
  writeFileSync(join(dir, "config.json"), typeof config === "string" ? config : JSON.stringify(config));
  const env = { DOCKER_CONFIG: dir, PATH: `${join(dir, "bin")}:${process.env.PATH}`, HOME: "/home/of/test" };
  return dockerConfigCredentials(env)(registry);
}

describe("docker's config.json", () => {
  const ann: Credentials = { username: "ann", password: "a:b", authType: "basic" };
  const auths = (key: string): object => ({ auths: { [key]: { auth: base64("ann:a:b") } } });

  for (const key of ["ghcr.io", "https://ghcr.io", "https://ghcr.io/v2/", "ghcr.io/org"]) {
    test(`finds ghcr.io under ${key}`, async () => assert.deepEqual(await lookUp(auths(key), "ghcr.io"), ann));
  }

  for (const key of ["https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io", "https://registry-1.docker.io/v2/"]) {
    test(`finds docker.io under ${key}`, async () => assert.deepEqual(await lookUp(auths(key), "docker.io"), ann));
  }

  test("keeps ports apart and prefers the exact key", async () => {
    assert.equal(await lookUp(auths("127.0.0.1:5000"), "127.0.0.1:5001"), undefined);
    const both = { auths: { "https://r.test/v1/": { auth: base64("old:x") }, "r.test": { auth: base64("new:y") } } };
    assert.equal((await lookUp(both, "r.test"))?.username, "new");
  });

  test("reads plain user and password, identity and registry tokens", async () => {
    const entry = (value: object): object => ({ auths: { "r.test": value } });
    assert.deepEqual(await lookUp(entry({ username: "u", password: "p" }), "r.test"), { username: "u", password: "p" });
    const token = { username: "<token>", password: "idt", authType: "token" };
    assert.deepEqual(await lookUp(entry({ auth: base64("u:p"), identitytoken: "idt" }), "r.test"), token);
    assert.deepEqual(await lookUp(entry({ registrytoken: "idt" }), "r.test"), token);
  });

  test("takes empty entries for none", async () => {
    for (const value of [{}, { auth: "" }, { auth: base64(":") }, { username: "", password: "" }, null, "x"]) {
      assert.equal(await lookUp({ auths: { "r.test": value } }, "r.test"), undefined);
    }
  });

  test("asks the helper of the host, else the store, else nobody", async () => {
    assert.equal((await lookUp({ credHelpers: { "r.test": "good" }, credsStore: "empty" }, "r.test"))?.username, "from-helper");
    assert.equal((await lookUp({ auths: { "docker.io": {} }, credsStore: "good" }, "docker.io"))?.password, "s3cret");
    assert.deepEqual(readFileSync(join(dir, "asked"), "utf8").trim().split("\n"), ["r.test", "https://index.docker.io/v1/"]);
    assert.equal(await lookUp({ credsStore: "empty" }, "r.test"), undefined);
    assert.equal(await lookUp({}, "r.test"), undefined);
  });

  test("lets what is written in the file win over helpers", async () => {
    assert.equal((await lookUp({ ...auths("r.test"), credsStore: "broken" }, "r.test"))?.username, "ann");
  });

  test("gives helpers the environment they need", async () => {
    assert.equal((await lookUp({ credsStore: "home" }, "r.test"))?.username, "/home/of/test");
  });

  test("knows a helper's token by its user name", async () => {
    assert.deepEqual(await lookUp({ credsStore: "token" }, "r.test"), { username: "<token>", password: "identity", authType: "token" });
  });

  for (const [name, config, expected] of [
    ["a broken helper", { credsStore: "broken" }, /docker-credential-broken .*keychain is locked/],
    ["a helper that is not installed", { credsStore: "absent" }, /cannot run docker-credential-absent.*install it/],
    ["a helper that babbles", { credsStore: "babbling" }, /something other than credentials/],
    ["a helper with a path for a name", { credsStore: "../../bin/sh" }, /no name of a credential helper/],
    ["a file that is not JSON", `{"auths":{"r.test":{"auth":"${base64("u:s3cret")}"`, /not a JSON object/],
    ["an entry that is not base64 of user:password", { auths: { "r.test": { auth: "c3Vw" } } }, /not base64 of user:password/],
  ] as const) {
    test(`reports ${name}, without a secret`, async () => {
      await assert.rejects(lookUp(config, "r.test"), (error) => {
        assert.ok(isBerthError(error, "configuration"));
        assert.match(error.message, expected);
        assert.doesNotMatch(`${error.message} ${String(error.cause)} ${error.stack}`, /s3cret|c3Vw/);
        return true;
      });
    });
  }

  test("may be missing", async () => {
    assert.equal(await dockerConfigCredentials({ DOCKER_CONFIG: join(dir, "nowhere") })("r.test"), undefined);
    assert.equal(await dockerConfigCredentials({ HOME: dir })("r.test"), undefined);
  });
});

test("inline credentials win, empty ones count as absent, and the first source that has any is the last asked", async () => {
  const asked: string[] = [];
  const source = (name: string, found: Credentials | undefined) => async () => {
    asked.push(name);
    return found;
  };
  const [a, b] = [
    { username: "a", password: "1" },
    { username: "b", password: "2" },
  ];
  assert.equal(await resolveCredentials("r", a, [source("x", b)]), a);
  assert.deepEqual(asked, []);
  const empty = { username: "", password: "" };
  assert.equal(await resolveCredentials("r", empty, [source("none", undefined), source("empty", empty), source("b", b), source("a", a)]), b);
  assert.deepEqual(asked, ["none", "empty", "b"]);
  assert.equal(await resolveCredentials("r", undefined, []), undefined);
  assert.equal(presentCredentials({ username: "", password: "token" })?.password, "token");
});
