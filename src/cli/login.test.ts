/** `berth login` and `berth logout` against the mock backend. */
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { mockBench } from "../../test/support/cli-host.ts";

const host = "registry.example:5000";
const password = "correct horse";
let bench: Awaited<ReturnType<typeof mockBench>>;

beforeEach(async () => {
  bench = await mockBench();
  bench.runtime.control.publishImage(`${host}/private:1`, { account: { username: "alice", password } });
});

describe("berth login", () => {
  test("takes the password from stdin, and pulls are allowed until logout", async () => {
    assert.equal((await bench.run(["pull", `${host}/private:1`])).code, 1);
    const done = await bench.run(["login", "-u", "alice", "--password-stdin", host], { stdin: `${password}\n` });
    assert.deepEqual(done, { code: 0, stdout: "Login Succeeded\n", stderr: "" });
    assert.equal((await bench.run(["pull", `${host}/private:1`])).code, 0);
    assert.equal((await bench.run(["logout", host])).stdout, `Removing login credentials for ${host}\n`);
    assert.equal((await bench.run(["logout", host])).stdout, `Not logged in to ${host}\n`);
    await bench.runtime.removeImage(`${host}/private:1`, true);
    assert.equal((await bench.run(["pull", `${host}/private:1`])).code, 1);
  });

  test("asks at a terminal and shows nothing of the password", async () => {
    const running = bench.start(["login", host], { terminal: true });
    await running.saw("Username: ");
    running.stdin.write("alice\n");
    await running.saw("Password: ");
    running.stdin.write(`${password}\r`);
    const done = await running.done;
    assert.equal(done.code, 0, done.stderr);
    assert.ok(!`${done.stdout}${done.stderr}`.includes(password));
    assert.match(done.stdout, /Login Succeeded\n$/);
  });

  test("a wrong password is told without it, and nothing is kept", async () => {
    const done = await bench.run(["login", "-u", "alice", "--password-stdin", host], { stdin: "wrong-secret" });
    assert.equal(done.code, 1);
    assert.match(done.stderr, /login to registry.example:5000 failed/);
    assert.ok(!done.stderr.includes("wrong-secret"));
    assert.deepEqual(await bench.runtime.extras?.credentials?.list(), []);
  });

  test("says how to give a password where nobody can be asked", async () => {
    assert.match((await bench.run(["login", "-u", "alice", host], { stdin: "" })).stderr, /--password-stdin/);
    assert.match((await bench.run(["login", "--password-stdin", host], { stdin: "x" })).stderr, /needs --username/);
    assert.match((await bench.run(["login", "-u", "alice", "-p", password, host])).stderr, /insecure/);
  });
});
