/** `berth cp`, `diff`, `commit` and `export` on the native backend, with GNU tar on the other side of the pipes. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { openRuntime, type Runtime } from "../../src/index.ts";
import { CliBench, type CliRun } from "../support/cli-host.ts";
import { pushDemoImage } from "../support/demo.ts";
import { type RegistryServer, startRegistry } from "../support/registry-server.ts";

let registry: RegistryServer;
let root: string;
let runtime: Runtime;
let bench: CliBench;
let host: string;

before(async () => {
  registry = await startRegistry();
  const image = await pushDemoImage(registry.host);
  root = mkdtempSync(join(tmpdir(), "berth-copy-"));
  runtime = await openRuntime({ backend: "native", root });
  bench = new CliBench(runtime);
  await ok([
    "run",
    "-d",
    "--name",
    "box",
    "--network",
    "none",
    image,
    "sh",
    "-c",
    "mkdir -p /work/sub && echo one > /work/one.txt && echo two > /work/sub/two.txt && ln -s one.txt /work/link && ln -s /work/sub /abs && touch /ready && sleep 100000",
  ]);
  await ok(["exec", "box", "sh", "-c", "until [ -e /ready ]; do sleep 0.02; done"]);
});

after(async () => {
  for (const { containerId } of await runtime.listContainers()) if (containerId) await runtime.removeContainer(containerId);
  await runtime.close();
  await registry.close();
  rmSync(root, { recursive: true, force: true });
});

beforeEach(() => {
  host = mkdtempSync(join(root, "host-"));
});

async function ok(args: readonly string[], o?: Parameters<CliBench["run"]>[1]): Promise<CliRun> {
  const done = await bench.run(args, o);
  assert.equal(done.code, 0, `${args.join(" ")}: ${done.stderr}`);
  return done;
}

async function fails(args: readonly string[], message: RegExp, o?: Parameters<CliBench["run"]>[1]): Promise<void> {
  const done = await bench.run(args, o);
  assert.equal(done.code, 1, `${args.join(" ")} ended with ${done.code}`);
  assert.match(done.stderr, message);
}

const text = (path: string): string => readFileSync(join(host, path), "utf8");
const inside = async (script: string): Promise<string> => (await ok(["exec", "box", "sh", "-c", script])).stdout.trim();

describe("cp from a container", () => {
  test("a file, into a directory and to a name", async () => {
    const done = await ok(["cp", "box:/work/one.txt", host]);
    assert.match(done.stderr, /^Successfully copied \S+B to .*\n$/);
    assert.equal(done.stdout, "");
    assert.equal(text("one.txt"), "one\n");
    await ok(["cp", "-q", "box:work/one.txt", join(host, "renamed.txt")]);
    assert.equal(text("renamed.txt"), "one\n");
    writeFileSync(join(host, "over.txt"), "longer than before\n");
    await ok(["cp", "box:/work/one.txt", join(host, "over.txt")]);
    assert.equal(text("over.txt"), "one\n");
  });

  test("a directory: into one that is there, to a new name, and its contents alone", async () => {
    await ok(["cp", "box:/work", host]);
    assert.equal(text("work/sub/two.txt"), "two\n");
    assert.equal(readlinkSync(join(host, "work/link")), "one.txt");
    await ok(["cp", "box:/work", join(host, "fresh")]);
    assert.equal(text("fresh/sub/two.txt"), "two\n");
    mkdirSync(join(host, "into"));
    await ok(["cp", "box:/work/.", join(host, "into")]);
    assert.deepEqual(readdirSync(join(host, "into")).sort(), ["link", "one.txt", "sub"]);
  });

  test("a symlink is copied as one, unless it is to be followed", async () => {
    await ok(["cp", "box:/abs", host]);
    assert.equal(readlinkSync(join(host, "abs")), "/work/sub");
    await ok(["cp", "-L", "box:/abs", join(host, "followed")]);
    assert.equal(text("followed/two.txt"), "two\n");
    await ok(["cp", "box:/abs/", join(host, "slash")]);
    assert.equal(text("slash/two.txt"), "two\n");
    await ok(["cp", "-L", "box:/work/link", host]);
    assert.equal(text("link"), "one\n");
  });

  test("to stdout as a tar", async () => {
    const listing = spawnSync("tar", ["-tf", "-"], { input: Buffer.from((await ok(["cp", "box:/work", "-"])).stdout) }).stdout.toString();
    assert.deepEqual(listing.trim().split("\n"), ["work/", "work/link", "work/one.txt", "work/sub/", "work/sub/two.txt"]);
  });

  test("what cannot be is refused", async () => {
    await fails(["cp", "box:/nowhere", host], /no such path in the container/);
    await fails(["cp", "box:/work", join(host, "a/b")], /no such directory/);
    writeFileSync(join(host, "file"), "");
    await fails(["cp", "box:/work", join(host, "file")], /cannot copy a directory/i);
    await fails(["cp", "box:/work/one.txt", join(host, "missing/")], /does not exist/);
    await fails(["cp", "box:/a", "box:/b"], /between containers/);
    await fails(["cp", host, `${host}/x`], /at least one container/);
    await fails(["cp", "nobody:/a", host], /No such container/);
    mkdirSync(join(host, "one.txt"));
    await fails(["cp", "box:/work/one.txt", host], /directory/);
  });

  test("modes are kept, owners only with -a", async () => {
    await inside("echo x > /owned && chown 1234:4321 /owned && chmod 4640 /owned");
    await ok(["cp", "box:/owned", host]);
    assert.deepEqual([statSync(join(host, "owned")).uid, statSync(join(host, "owned")).mode & 0o7777], [0, 0o4640]);
    await ok(["cp", "-a", "box:/owned", join(host, "kept")]);
    assert.deepEqual([statSync(join(host, "kept")).uid, statSync(join(host, "kept")).gid], [1234, 4321]);
  });

  test("no symlink on this host is followed while a directory is extracted", async () => {
    const outside = mkdtempSync(join(root, "outside-"));
    mkdirSync(join(host, "work"));
    symlinkSync(outside, join(host, "work/sub"));
    await fails(["cp", "box:/work", host], /sub/);
    assert.deepEqual(readdirSync(outside), []);
  });
});

describe("cp into a container", () => {
  test("a file, into a directory, to a name, and over a file", async () => {
    writeFileSync(join(host, "f.txt"), "from the host\n");
    await ok(["cp", join(host, "f.txt"), "box:/tmp"]);
    await ok(["cp", join(host, "f.txt"), "box:/tmp/named.txt"]);
    await inside("echo old > /tmp/old.txt");
    await ok(["cp", join(host, "f.txt"), "box:/tmp/old.txt"]);
    assert.equal(await inside("cat /tmp/f.txt /tmp/named.txt /tmp/old.txt"), "from the host\nfrom the host\nfrom the host");
  });

  test("a directory: into one that is there, to a new name, and its contents alone", async () => {
    mkdirSync(join(host, "d/e"), { recursive: true });
    writeFileSync(join(host, "d/e/x.sh"), "#!/bin/sh\necho ran\n");
    chmodSync(join(host, "d/e/x.sh"), 0o755);
    symlinkSync("e/x.sh", join(host, "d/s"));
    await ok(["cp", join(host, "d"), "box:/tmp"]);
    assert.equal(await inside("/tmp/d/e/x.sh; readlink /tmp/d/s"), "ran\ne/x.sh");
    await ok(["cp", join(host, "d"), "box:/tmp/fresh"]);
    assert.equal(await inside("/tmp/fresh/s"), "ran");
    await inside("mkdir /tmp/into");
    await ok(["cp", `${host}/d/.`, "box:/tmp/into"]);
    assert.equal(await inside("ls /tmp/into"), "e\ns");
  });

  test("a tar from stdin", async () => {
    writeFileSync(join(host, "t.txt"), "tarred\n");
    const tar = spawnSync("tar", ["-C", host, "-cf", "-", "t.txt"]).stdout.toString("latin1");
    await ok(["cp", "-", "box:/tmp"], { stdin: tar });
    assert.equal(await inside("cat /tmp/t.txt"), "tarred");
    await fails(["cp", "-", "box:/work/one.txt"], /must be a directory/, { stdin: tar });
  });

  test("through symlinks inside, never onto the host", async () => {
    writeFileSync(join(host, "s.txt"), "s\n");
    await ok(["cp", join(host, "s.txt"), "box:/abs"]);
    assert.equal(await inside("cat /work/sub/s.txt"), "s");
    await inside("ln -s ../../../../../../../../../../tmp /updir");
    await ok(["cp", join(host, "s.txt"), "box:/updir/only-inside.txt"]);
    assert.equal(await inside("cat /tmp/only-inside.txt"), "s");
    assert.equal(existsSync("/tmp/only-inside.txt"), false);
  });

  test("what cannot be is refused", async () => {
    writeFileSync(join(host, "f.txt"), "x");
    mkdirSync(join(host, "d"));
    await fails(["cp", join(host, "nothing"), "box:/tmp"], /no such file/);
    await fails(["cp", join(host, "f.txt"), "box:/no/such/dir/f.txt"], /no such path/);
    await fails(["cp", join(host, "f.txt"), "box:/no-such-dir/"], /does not exist/);
    await fails(["cp", join(host, "d"), "box:/work/one.txt"], /cannot copy a directory/i);
    assert.equal(await inside("cat /work/one.txt"), "one");
  });
});

describe("diff, commit and export", () => {
  test("diff shows changes with Docker's letters", async () => {
    const lines = (await ok(["diff", "box"])).stdout.trim().split("\n");
    for (const line of ["A /work", "A /work/sub/two.txt", "C /tmp", "A /abs"]) assert.ok(lines.includes(line), `${line} in ${lines.join(", ")}`);
    assert.ok(!lines.some((line) => /\/(dev|proc|sys)\b|etc\/(hosts|hostname|resolv)/.test(line)), lines.join(", "));
  });

  test("a committed image has owners, modes, deletions and links, and says how it was made", async () => {
    await inside("rm /bin/wget; rm -rf /home; mkdir -m 700 /home; echo cap > /capped; ln /work/one.txt /hard");
    const { stdout } = await ok(["commit", "-a", "me", "-m", "some work", "-c", "ENV ADDED=yes", "box", "made:one"]);
    assert.match(stdout, /^sha256:[0-9a-f]{64}\n$/);
    const look = "ls /bin/wget 2>&1; ls -a /home | wc -l; stat -c '%u:%g %a' /owned /home; readlink /abs; stat -c %h /hard; echo $ADDED";
    const seen = (await ok(["run", "--rm", "--network", "none", "made:one", "sh", "-c", look])).stdout;
    assert.equal(seen, "ls: /bin/wget: No such file or directory\n2\n1234:4321 4640\n0:0 700\n/work/sub\n2\nyes\n");
  });

  test("export to a file is a whole tar, and to a terminal is refused", async () => {
    await ok(["export", "-o", join(host, "root.tar"), "box"]);
    const listing = spawnSync("tar", ["-tf", join(host, "root.tar")])
      .stdout.toString()
      .split("\n");
    for (const name of ["work/sub/two.txt", "proc/", "dev/", "bin/busybox"]) assert.ok(listing.includes(name), name);
    assert.equal(lstatSync(join(host, "root.tar")).mode & 0o777, 0o600);
    await fails(["export", "box"], /terminal/, { terminal: true });
    assert.deepEqual(readdirSync(host), ["root.tar"]);
  });
});
