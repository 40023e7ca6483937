import assert from "node:assert/strict";
import { test } from "node:test";
import { isBerthError } from "../errors.ts";
import { type ConmonOptions, conmonArgs, parseSyncPipe } from "./conmon.ts";

const base: ConmonOptions = {
  id: "berth-web-rep-0",
  bundle: "/run/b",
  runtime: { name: "crun", path: "/usr/bin/crun", root: "/run/oci" },
  pidFile: "/run/b/pid",
  monitorPidFile: "/run/b/mpid",
  exitDirectory: "/exits",
  logPath: "/logs/x",
  tty: false,
  stdin: false,
  leaveStdinOpen: false,
};

test("arguments", () => {
  assert.deepEqual(conmonArgs(base), [
    "--cid=berth-web-rep-0",
    "--cuuid=berth-web-rep-0",
    "--name=berth-web-rep-0",
    "--runtime=/usr/bin/crun",
    "--runtime-arg=--root",
    "--runtime-arg=/run/oci",
    "--bundle=/run/b",
    "--container-pidfile=/run/b/pid",
    "--conmon-pidfile=/run/b/mpid",
    "--exit-dir=/exits",
    "--log-path=k8s-file:/logs/x",
    "--log-level=error",
    "--full-attach",
    "--no-sync-log",
  ]);
});

test("choices", () => {
  const args = conmonArgs({ ...base, tty: true, stdin: true, leaveStdinOpen: true, persistDirectory: "/p", logSizeMaxBytes: 5, exitCommand: ["/bin/x", "-y"] });
  const expected = ["--terminal", "--stdin", "--leave-stdin-open", "--persist-dir=/p", "--log-size-max=5", "--exit-command=/bin/x", "--exit-command-arg=-y"];
  assert.deepEqual(
    expected.filter((argument) => !args.includes(argument)),
    [],
  );
});

test("answers", () => {
  assert.deepEqual(parseSyncPipe('{"pid": 42}\n'), { pid: 42 });
  assert.deepEqual(parseSyncPipe('{"data": 42}\n{"data": 1}'), { pid: 42 });
  assert.deepEqual(parseSyncPipe('{"pid": -1, "message": "no such thing\\n"}'), { message: "no such thing" });
  assert.deepEqual(parseSyncPipe('{"pid": -1}'), { message: "the OCI runtime failed with -1" });
  for (const text of ["", "x", "7"])
    assert.throws(
      () => parseSyncPipe(text),
      (error) => isBerthError(error, "internal"),
    );
});
