/** Commands one after the other as a user gives them, on the native backend: what each prints and how it ends. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openRuntime, type Runtime } from "../../src/index.ts";
import { cgroupVersion } from "../../src/runtimes/native/cgroup.ts";
import { writeTar } from "../../src/testing/tar-writer.ts";
import { CliBench } from "../support/cli-host.ts";

const directory = mkdtempSync(join(tmpdir(), "berth-commands-"));
const path = (name: string): string => join(directory, name);
const offline = ["--network", "none"];

let runtime: Runtime;
let bench: CliBench;

before(async () => {
  runtime = await openRuntime({ backend: "native", root: path("root") });
  bench = new CliBench(runtime);
  const busybox = "/usr/bin/busybox";
  const applets = execFileSync(busybox, ["--list"], { encoding: "utf8" }).trim().split("\n");
  writeFileSync(
    path("rootfs.tar"),
    writeTar([
      ...["bin/", "etc/", "proc/", "sys/", "dev/", "tmp/"].map((name) => ({ name })),
      { name: "bin/busybox", data: readFileSync(busybox), mode: 0o755 },
      ...applets.filter((applet) => applet !== "busybox").map((applet) => ({ name: `bin/${applet}`, linkName: "busybox" })),
      { name: "etc/passwd", data: "root:x:0:0:root:/root:/bin/sh\n" },
    ]),
  );
});

after(async () => {
  for (const { containerId } of await runtime.listContainers()) if (containerId) await runtime.removeContainer(containerId);
  await runtime.close();
  rmSync(directory, { recursive: true, force: true });
});

/** What a command that succeeds prints. */
async function shown(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await bench.run(args);
  assert.equal(code, 0, `${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** A command that fails with code 1. */
async function refused(message: RegExp, ...args: readonly string[]): Promise<void> {
  const { code, stderr } = await bench.run(args);
  assert.equal(code, 1, args.join(" "));
  assert.match(stderr, message, args.join(" "));
}

describe("commands on the native backend", { concurrency: false }, () => {
  test("import, run, rename: the old name is free for the next container", async () => {
    assert.match(await shown("import", "-c", 'CMD ["sleep", "1000"]', path("rootfs.tar"), "box:1"), /^sha256:[0-9a-f]{64}\n$/);
    await shown("run", "-d", "--name", "old", ...offline, "box:1");
    assert.equal(await shown("rename", "old", "new"), "");
    await shown("run", "-d", "--name", "old", ...offline, "box:1");
    assert.equal(await shown("exec", "old", "echo", "second"), "second\n");
    assert.deepEqual((await shown("ps", "--format", "{{.Names}}")).split("\n").sort(), ["", "new", "old"]);
    assert.equal(await shown("rm", "-f", "old"), "old\n");
  });

  test("pause, unpause, top, update, stats, port", async () => {
    assert.equal(await shown("pause", "new"), "new\n");
    await refused(/^berth: container new is paused already\n$/, "pause", "new");
    await refused(/paused; unpause it first/, "exec", "new", "true");
    assert.match(await shown("ps", "--filter", "status=paused"), /\(Paused\) .* new\n/);
    assert.equal(await shown("unpause", "new"), "new\n");
    assert.match(await shown("top", "new"), /^UID +PID .*\nroot .*sleep 1000\n$/);
    assert.equal(await shown("update", "-m", "64m", "new"), "new\n");
    assert.match(await shown("stats", "--no-stream", "new"), /new +[\d.]+% +\S+ \/ 64MiB/);
    assert.equal(await shown("port", "new"), "");
    await refused(/No such container: nobody/, "restart", "-t", "0", "nobody");
  });

  test("a memory limit below what is used is refused, and the one before holds", {
    skip: cgroupVersion() === 2 && "cgroup v2 takes the memory away instead",
  }, async () => {
    await refused(
      /^berth: cannot change the limits of container new: it uses more than memory\.limit_in_bytes of 4096 now; give more, or stop it first\n$/,
      ...["update", ...["-m", "4k", "new"]],
    );
    assert.match(await shown("stats", "--no-stream", "new"), / \/ 64MiB/);
  });

  test("cp, diff, commit, history, export", async () => {
    writeFileSync(path("note"), "a note\n");
    await shown("cp", path("note"), "new:/tmp/note");
    assert.equal(await shown("diff", "new"), "C /tmp\nA /tmp/note\n");
    assert.equal(await shown("exec", "new", "cat", "/tmp/note"), "a note\n");
    assert.match(await shown("commit", "-m", "noted", "new", "box:2"), /^sha256:/);
    assert.match(await shown("history", "box:2"), /^IMAGE .*\n[0-9a-f]{12} .* noted\n<missing> .*Imported from .*rootfs\.tar\n$/);
    await shown("export", "-o", path("fs.tar"), "new");
    assert.match(execFileSync("tar", ["-tf", path("fs.tar")], { encoding: "utf8" }), /^tmp\/note$/m);
    await refused(/no such file or directory/, "cp", "new:/nothing", path("x"));
  });

  test("tag, save, rmi, load", async () => {
    await shown("tag", "box:2", "box:three");
    assert.match(await shown("images"), /box +three /);
    await shown("save", "-o", path("image.tar"), "box:2");
    assert.equal(await shown("rmi", "box:three"), "Untagged: box:three\n");
    assert.match(await shown("rmi", "box:2"), /^Untagged: box:2\nDeleted: sha256:/);
    assert.equal(await shown("load", "-i", path("image.tar")), "Loaded image: box:2\n");
    assert.equal(await shown("run", "--rm", ...offline, "box:2", "cat", "/tmp/note"), "a note\n");
    await refused(/^berth: No such image: box:three\n$/, "rmi", "box:three");
  });

  test("stop, wait, start, kill, rm, and events of all of it", async () => {
    assert.equal(await shown("stop", "-t", "0", "new"), "new\n");
    assert.equal(await shown("wait", "new"), "137\n");
    await refused(/cannot attach to a stopped container/, "attach", "new");
    assert.equal(await shown("start", "new"), "new\n");
    await refused(/is running; stop it first/, "rm", "new");
    assert.equal(await shown("kill", "new"), "new\n");
    assert.equal(await shown("rm", "new"), "new\n");
    const actions = (await shown("events", "--since", "1h", "--until", "0s", "--filter", "container=new", "--format", "{{.Action}}")).split("\n");
    for (const action of ["rename", "pause", "unpause", "update", "commit", "export", "stop", "die", "start", "kill", "destroy"])
      assert.ok(actions.includes(action), action);
  });

  test("networks, volumes, what they take and what prune frees", async () => {
    await shown("network", "create", "net");
    await refused(/network net exists already/, "network", "create", "net");
    await shown("run", "--name", "once", "--network", "net", "-v", "data:/data", "box:1", "sh", "-c", "echo kept > /data/file");
    await refused(/in use/, "volume", "rm", "data");
    assert.match(await shown("system", "df"), /Local Volumes +1 +1 +5B/);
    assert.match(await shown("prune", "-f"), /^Deleted Containers:\n[0-9a-f]{64}\n\nDeleted Networks:\nnet\n\n/);
    assert.equal(await shown("volume", "rm", "data"), "data\n");
    await refused(/No such network: net/, "network", "rm", "net");
  });
});
