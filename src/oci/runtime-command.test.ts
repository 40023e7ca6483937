import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isBerthError } from "../errors.ts";
import {
  createArgs,
  deleteCommand,
  execArgs,
  failureMessage,
  killCommand,
  type OciRuntime,
  parseOciState,
  parseRuntimeVersion,
  startCommand,
  startFailureCode,
  stateCommand,
} from "./runtime-command.ts";

const crun: OciRuntime = { name: "crun", path: "/usr/bin/crun", root: "/run/berth/oci" };

test("every command goes to our own state directory", () => {
  assert.deepEqual(createArgs(crun, "c", { bundle: "/b", pidFile: "/p" }), ["--root", "/run/berth/oci", "create", "--bundle", "/b", "--pid-file", "/p", "c"]);
  assert.deepEqual(startCommand(crun, "c").args, ["--root", "/run/berth/oci", "start", "c"]);
  assert.deepEqual(deleteCommand(crun, "c", { force: true }).args, ["--root", "/run/berth/oci", "delete", "--force", "c"]);
  assert.deepEqual(killCommand(crun, "c", 9, { all: true }).args, ["--root", "/run/berth/oci", "kill", "--all", "c", "9"]);
  assert.deepEqual(stateCommand(crun, "c").args, ["--root", "/run/berth/oci", "state", "c"]);
  assert.deepEqual(execArgs(crun, "c", { processFile: "/x", pidFile: "/p", logFile: "/l", tty: true }), [
    "--root",
    "/run/berth/oci",
    "--log",
    "/l",
    "--log-format",
    "json",
    "exec",
    "--process",
    "/x",
    "--pid-file",
    "/p",
    "--tty",
    "c",
  ]);
});

test("state", () => {
  assert.deepEqual(parseOciState('{"ociVersion":"1.0","id":"c","pid":12,"status":"running"}'), { id: "c", status: "running", pid: 12 });
  assert.equal(parseOciState('{"id":"c","pid":0,"status":"stopped"}').pid, undefined);
  for (const text of ["", "[]", '{"id":"c"}'])
    assert.throws(
      () => parseOciState(text),
      (error) => isBerthError(error, "internal"),
    );
});

test("version", () => {
  assert.equal(parseRuntimeVersion("crun version 1.8.1\ncommit: f8a0\n"), "1.8.1");
  assert.equal(parseRuntimeVersion("runc version 1.1.5+ds1\n"), "1.1.5+ds1");
  assert.equal(parseRuntimeVersion("runsc version release-x\n"), "runsc version release-x");
});

describe("what crun 1.8 and runc 1.1 really said", () => {
  const runc = (text: string): string =>
    `time="2026-11-23T23:35:30Z" level=error msg=${JSON.stringify(`runc create failed: unable to start container process: ${text}`)}`;
  const said: readonly (readonly [number, string])[] = [
    [127, "executable file `nosuch` not found in $PATH: No such file or directory"],
    [127, runc('exec: "nosuch": executable file not found in $PATH')],
    [127, "executable file `/bin/nosuch` not found in $PATH: No such file or directory"],
    [127, runc('exec: "/bin/nosuch": stat /bin/nosuch: no such file or directory')],
    [126, "open executable: Permission denied"],
    [126, runc('exec: "/bin/noexec": permission denied')],
    [126, "open executable: Operation not permitted"],
    [126, runc('exec: "/dir": permission denied')],
    [126, "exec container process `/bin/garbage`: Exec format error"],
    [126, "exec /bin/garbage: exec format error"],
    [126, "exec: Exec format error"],
    [127, "exec container process (missing dynamic library?) `/bin/badinterp`: No such file or directory"],
    [127, "exec /bin/badinterp: no such file or directory"],
    [127, "exec: No such file or directory"],
    [127, "open executable: Not a directory"],
    [127, runc('exec: "/plain/x": stat /plain/x: not a directory')],
    [127, "chdir `/missing`: No such file or directory"],
    [127, 'exec failed: unable to start container process: chdir to cwd ("/missing") set in config.json failed: no such file or directory'],
    [126, "chdir `/plain`: Not a directory"],
    [126, 'exec failed: unable to start container process: chdir to cwd ("/plain") set in config.json failed: not a directory'],
    [128, runc("error during container init: mkdir /plain: not a directory")],
    [128, runc('error mounting "/x" to rootfs at "/y": permission denied')],
    [128, "mount `proc` to `proc`: Operation not permitted"],
    [128, "exec failed: container does not exist: open /run/x: no such file or directory"],
    [128, "setrlimit `RLIMIT_NOFILE`: Operation not permitted"],
    [128, ""],
  ];
  for (const [code, text] of said) test(`${code}: ${failureMessage(text).slice(-60)}`, () => assert.equal(startFailureCode(text), code));

  test("the message without its wrapping", () => {
    assert.equal(failureMessage(runc('exec: "x": permission denied')), 'runc create failed: unable to start container process: exec: "x": permission denied');
    assert.equal(failureMessage(' level=error msg="a \\x41 b" '), "a \\x41 b");
    assert.equal(failureMessage("plain\n"), "plain");
    assert.equal(failureMessage('{"msg":"a \\"b\\"","level":"error"}\n{"msg":"later","level":"warning"}\n'), 'a "b"');
    assert.equal(failureMessage("{ no log"), "{ no log");
  });
});
