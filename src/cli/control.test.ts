import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { mockBench } from "../../test/support/cli-host.ts";

let bench: Awaited<ReturnType<typeof mockBench>>;

before(async () => {
  bench = await mockBench();
});

async function run(...args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return bench.run(args);
}

describe("commands for containers that run", () => {
  test("pause and unpause print the names; what is paused says so and cannot be exec'd into", async () => {
    await run("run", "-d", "--name", "calm", "demo", "wait");
    assert.deepEqual(await run("pause", "calm"), { code: 0, stdout: "calm\n", stderr: "" });
    assert.match((await run("ps")).stdout, /\(Paused\)/);
    assert.notEqual((await run("exec", "calm", "echo", "x")).code, 0);
    assert.equal((await run("pause", "calm")).code, 1);
    assert.deepEqual(await run("unpause", "calm"), { code: 0, stdout: "calm\n", stderr: "" });
    assert.equal((await run("unpause", "calm", "nobody")).code, 1);
    await run("rm", "-f", "calm");
  });

  test("rename prints nothing, and the container answers to its new name only", async () => {
    await run("create", "--name", "old", "demo");
    assert.deepEqual(await run("rename", "old", "new"), { code: 0, stdout: "", stderr: "" });
    assert.match((await run("ps", "-a")).stdout, / new\n/);
    assert.equal((await run("rename", "new", "-bad")).code !== 0, true);
    await run("rm", "new");
  });

  test("top is a table of processes; port lists bindings", async () => {
    await run("run", "-d", "--name", "busy", "-p", "127.0.0.1:8099:80", "demo", "wait");
    const lines = (await run("top", "busy")).stdout.trimEnd().split("\n");
    assert.match(lines[0] ?? "", /^UID +PID +PPID +C +STIME +TTY +TIME +CMD$/);
    assert.equal(lines.length, 2);
    assert.match((await run("top", "busy", "-o", "pid,comm")).stdout, /^PID +COMMAND\n/);
    assert.equal((await run("port", "busy")).stdout, "80/tcp -> 127.0.0.1:8099\n");
    assert.equal((await run("port", "busy", "80")).stdout, "127.0.0.1:8099\n");
    assert.equal((await run("port", "busy", "81/udp")).code, 1);
    await run("rm", "-f", "busy");
    assert.equal((await run("top", "busy")).code, 1);
  });

  test("update changes what is named and refuses what cannot be", async () => {
    await run("run", "-d", "--name", "tuned", "demo", "wait");
    assert.deepEqual(await run("update", "-m", "64m", "--pids-limit", "20", "tuned"), { code: 0, stdout: "tuned\n", stderr: "" });
    assert.match((await run("stats", "--no-stream", "tuned")).stdout, /\/ 64MiB/);
    assert.equal((await run("update", "--cpu-shares", "1", "tuned")).code, 1);
    assert.notEqual((await run("update", "tuned")).code, 0);
    assert.notEqual((await run("update", "--cpus", "1", "--cpu-quota", "1000", "tuned")).code, 0);
    await run("rm", "-f", "tuned");
  });

  test("container prune asks, and removes only what has ended", async () => {
    await run("create", "--name", "idle", "--label", "kind=x", "demo");
    await run("run", "-d", "--name", "lively", "demo", "wait");
    const asked = await bench.run(["container", "prune"], { stdin: "n\n" });
    assert.match(asked.stdout, /^WARNING! This will remove all stopped containers\.\nAre you sure/);
    assert.match((await run("container", "prune", "-f", "--filter", "label=kind=y")).stdout, /^Total reclaimed space: 0B\n$/);
    const done = await bench.run(["container", "prune"], { stdin: "y\n" });
    assert.match(done.stdout, /Deleted Containers:\n[0-9a-f]{64}\n\nTotal reclaimed space: /);
    assert.equal((await run("ps", "-a", "--format", "{{.Names}}")).stdout, "lively\n");
    await run("rm", "-f", "lively");
  });
});
