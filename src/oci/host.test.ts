import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { isBerthError } from "../errors.ts";
import { makedev, mknod } from "../internal/libc.ts";
import { writeBundle } from "./bundle.ts";
import { allHostDevices, findDevices } from "./devices.ts";
import { hostFacts, parseHardLimits } from "./host-facts.ts";
import { findInit, isStaticElf } from "./init.ts";
import { cgroupRemedy, findOciRuntime, findProgram } from "./probe.ts";

const base = mkdtempSync(join(tmpdir(), "berth-host-"));
after(() => rmSync(base, { recursive: true }));

test("facts of this host", () => {
  const facts = hostFacts();
  assert.ok(facts.capabilities.includes("CAP_SYS_ADMIN"));
  assert.ok(facts.controllers.has("memory"));
  assert.equal(hostFacts(), facts);
});

test("hard limits, unlimited ones left out", () => {
  const text =
    "Limit                     Soft Limit           Hard Limit           Units     \nMax cpu time              unlimited            unlimited            seconds   \nMax open files            1024                 20000                files     \nMax locked memory         8388608              8388608              bytes     \n";
  assert.deepEqual(parseHardLimits(text), { nofile: 20_000, memlock: 8_388_608 });
});

describe("devices", () => {
  const directory = join(base, "dev");
  mkdirSync(join(directory, "sub"), { recursive: true });
  mknod(join(directory, "a"), 0o020_666, makedev(1, 3));
  mknod(join(directory, "sub/b"), 0o060_660, makedev(7, 300));
  writeFileSync(join(directory, "file"), "");
  symlinkSync("a", join(directory, "link"));

  test("a directory means every device below it", () => {
    const found = findDevices([{ path: directory, containerPath: "/dev/x", read: true, write: false, mknod: true }]);
    const brief = found.map(({ path, type, major, minor, access }) => [path, type, major, minor, access]);
    assert.deepEqual(brief.sort(), [
      ["/dev/x/a", "c", 1, 3, "rm"],
      ["/dev/x/sub/b", "b", 7, 300, "rm"],
    ]);
  });
  test("one device, through a link", () => {
    const [device] = findDevices([{ path: join(directory, "link"), read: true, write: true, mknod: false }]);
    assert.deepEqual([device?.path, device?.major, device?.minor, device?.access], [join(directory, "link"), 1, 3, "rw"]);
  });
  test("missing ones and files are refused", () => {
    for (const path of ["/dev/no-such-device", join(directory, "file")]) {
      assert.throws(
        () => findDevices([{ path }]),
        (error) => isBerthError(error, "invalid_spec") && error.message.includes(path),
      );
    }
  });
  test("all of the host's, without terminals of its session", () => {
    const paths = allHostDevices().map((device) => device.path);
    assert.ok(paths.includes("/dev/null"));
    assert.equal(
      paths.some((path) => path.startsWith("/dev/pts") || path === "/dev/console"),
      false,
    );
  });
});

describe("init", () => {
  test("a static program, not a dynamic one, not a script", () => {
    assert.equal(isStaticElf("/usr/bin/busybox"), true);
    assert.equal(isStaticElf(process.execPath), false);
    const script = join(base, "script");
    writeFileSync(script, "#!/bin/sh\n".padEnd(100));
    for (const path of [script, base, "/no/such/file"]) assert.equal(isStaticElf(path), false);
  });
  test("none is a configuration error with the remedy", () => {
    assert.equal(findInit(["/no/such/init", "/usr/bin/busybox"]), "/usr/bin/busybox");
    assert.throws(
      () => findInit([]),
      (error) => isBerthError(error, "configuration") && /apt install catatonit/.test(error.message),
    );
  });
});

describe("choice of an OCI runtime", () => {
  test("programs by name and by path", () => {
    assert.match(findProgram("runc") ?? "", /^\/.*\/runc$/);
    assert.equal(findProgram("/usr/bin/env"), "/usr/bin/env");
    for (const name of ["no-such-program", "/usr", "/etc/passwd"]) assert.equal(findProgram(name), undefined);
  });
  test("none that works is told with every reason", async () => {
    const fake = join(base, "fake-runtime");
    writeFileSync(fake, "#!/bin/sh\necho broken on purpose >&2\nexit 3\n", { mode: 0o755 });
    const options = { cacheFile: join(base, "cache.json"), root: join(base, "state"), preferred: fake };
    for (let round = 0; round < 2; round++) {
      await assert.rejects(findOciRuntime(options), (error) => isBerthError(error, "configuration") && /broken on purpose/.test(error.message));
    }
    await assert.rejects(
      findOciRuntime({ ...options, preferred: "no-such-runtime" }),
      (error) => isBerthError(error, "configuration") && /not installed/.test(error.message),
    );
  });
  test("remedy for controllers left to v2", () => {
    assert.equal(cgroupRemedy("\n"), undefined);
    assert.match(cgroupRemedy("hugetlb\n") ?? "", /mkdir -p \/sys\/fs\/cgroup\/hugetlb && mount -t cgroup -o hugetlb cgroup \/sys\/fs\/cgroup\/hugetlb/);
  });
});

test("a bundle directory is private", () => {
  const directory = join(base, "bundle");
  const process = {
    terminal: false,
    user: { uid: 0, gid: 0, additionalGids: [] },
    args: ["x"],
    env: [],
    cwd: "/",
    capabilities: { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] },
    rlimits: [],
    noNewPrivileges: false,
  };
  const linux = { namespaces: [], cgroupsPath: "/x", resources: { devices: [] }, devices: [], sysctl: {}, maskedPaths: [], readonlyPaths: [] };
  writeBundle(directory, { ociVersion: "1.0.2", root: { path: "/", readonly: false }, process, mounts: [], linux });
  assert.deepEqual(
    [directory, join(directory, "config.json")].map((path) => statSync(path).mode & 0o777),
    [0o700, 0o600],
  );
  assert.deepEqual(JSON.parse(readFileSync(join(directory, "config.json"), "utf8")).process.args, ["x"]);
});
