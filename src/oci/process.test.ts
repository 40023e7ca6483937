import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isBerthError } from "../errors.ts";
import { rlimitInfinity, type OciProcess } from "../spec/runtime-spec.ts";
import { buildEnvironment, defaultPath, mergeEnvironment, resolveArgv, resolveWorkdir } from "./process.ts";
import { buildExecProcess } from "./process-spec.ts";

describe("argv", () => {
  const image = { entrypoint: ["/entry"], cmd: ["a", "b"] };
  const cases: readonly (readonly [object, readonly string[]])[] = [
    [{}, ["/entry", "a", "b"]],
    [{ args: ["x"] }, ["/entry", "x"]],
    [{ entrypoint: ["/other"] }, ["/other"]],
    [{ entrypoint: ["/other"], args: ["x"] }, ["/other", "x"]],
    [{ args: [] }, ["/entry"]],
    [{ entrypoint: [], args: ["x"] }, ["x"]],
    [{ entrypoint: [""], args: ["x"] }, ["x"]],
  ];
  for (const [command, argv] of cases) test(JSON.stringify(command), () => assert.deepEqual(resolveArgv(command, image), argv));
  test("nothing left is refused, never a shell", () => {
    for (const command of [{ entrypoint: [] }, { entrypoint: [""] }]) {
      assert.throws(
        () => resolveArgv(command, image),
        (error) => isBerthError(error, "invalid_spec") && /no command/.test(error.message),
      );
    }
    assert.throws(
      () => resolveArgv({}, { entrypoint: [], cmd: [] }),
      (error) => isBerthError(error, "invalid_spec"),
    );
  });
});

test("working directory", () => {
  assert.equal(resolveWorkdir({ workdir: "/a" }, { workingDir: "/b" }), "/a");
  assert.equal(resolveWorkdir({}, { workingDir: "b" }), "/b");
  assert.equal(resolveWorkdir({}, {}), "/");
});

describe("environment", () => {
  const base = { image: [], hostname: "h", home: "/root", tty: false, spec: {} };
  test("defaults", () => assert.deepEqual(buildEnvironment(base), [`PATH=${defaultPath}`, "HOSTNAME=h", "HOME=/root"]));
  test("the image fills over defaults, the spec over the image, the engine over all", () => {
    const env = buildEnvironment({
      ...base,
      tty: true,
      image: ["PATH=/go/bin", "A=1", "B=1", "C=1", "broken", "=x"],
      spec: { B: "2", C: "2", HOSTNAME: "own" },
      injected: { C: "3" },
    });
    assert.deepEqual(env, ["PATH=/go/bin", "HOSTNAME=own", "TERM=xterm", "HOME=/root", "A=1", "B=2", "C=3"]);
  });
  test("merging", () => assert.deepEqual(mergeEnvironment(["A=1", "B=1"], ["B=2=3", "A", "C="]), ["B=2=3", "C="]));
});

describe("exec process", () => {
  const caps = { bounding: ["CAP_KILL"], effective: ["CAP_KILL"], permitted: ["CAP_KILL"], inheritable: [], ambient: [] };
  const container: OciProcess = {
    terminal: true,
    user: { uid: 5, gid: 6, additionalGids: [6, 7] },
    args: ["sleep"],
    env: ["A=1", "HOME=/x"],
    cwd: "/work",
    capabilities: caps,
    rlimits: [{ type: "RLIMIT_CORE", soft: 0, hard: rlimitInfinity }],
    noNewPrivileges: true,
    oomScoreAdj: 100,
    apparmorProfile: "docker-default",
  };
  const base = { container, rootfs: "/nonexistent", command: ["id"], hostCapabilities: ["CAP_SYS_ADMIN"] };
  test("everything not asked for is the container's", () => {
    assert.deepEqual(buildExecProcess(base), { ...container, terminal: false, args: ["id"] });
  });
  test("an infinite limit survives the way through config.json", () => {
    const parsed = JSON.parse(JSON.stringify(container)) as OciProcess;
    assert.match(JSON.stringify(buildExecProcess({ ...base, container: parsed })), /"hard":18446744073709551615/);
  });
  test("asked for", () => {
    const built = buildExecProcess({ ...base, tty: true, env: ["A=2", "B=3"], workingDir: "sub", privileged: true });
    assert.deepEqual(built.env, ["A=2", "HOME=/x", "TERM=xterm", "B=3"]);
    assert.deepEqual([built.terminal, built.cwd, built.noNewPrivileges, built.apparmorProfile], [true, "/work/sub", false, "unconfined"]);
    assert.deepEqual(built.capabilities.effective, ["CAP_SYS_ADMIN"]);
  });
  test("another user brings its groups and home", () => {
    const built = buildExecProcess({ ...base, rootfs: "/", user: "root" });
    assert.deepEqual([built.user.uid, built.user.gid, built.env.includes("HOME=/root")], [0, 0, true]);
    assert.throws(
      () => buildExecProcess({ ...base, rootfs: "/", user: "no-such-user" }),
      (error) => isBerthError(error, "invalid_spec"),
    );
    assert.throws(
      () => buildExecProcess({ ...base, command: [] }),
      (error) => isBerthError(error, "invalid_spec"),
    );
  });
});
