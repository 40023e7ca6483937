import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isBerthError } from "../../errors.ts";
import { parsePs, refuseRenamedPid } from "./ps-output.ts";

describe("the output of ps", () => {
  test("keeps the container's rows, one per process, a command with spaces in one cell", () => {
    const text = "UID        PID  PPID CMD\nroot         7     1 sh -c  a b\nroot         8     1 other\nroot         7     1 sh -c  a b\n";
    assert.deepEqual(parsePs(text, new Set([7, 9])), { titles: ["UID", "PID", "PPID", "CMD"], processes: [["root", "7", "1", "sh -c  a b"]] });
  });
  test("may end rows early", () => {
    assert.deepEqual(parsePs("PID TTY CMD\n 12 ?\n", new Set([12])).processes, [["12", "?", ""]]);
  });
  test("without a PID column is refused", () => {
    assert.throws(
      () => parsePs("COMMAND\nsh\n", new Set([1])),
      (error) => isBerthError(error, "invalid_spec"),
    );
  });
  test("is not trusted when another column calls itself PID", () => {
    for (const args of [["-o", "ppid=PID"], ["-oppid=PID,pid=x"], ["-eo", "pid,comm=PIDS"], ["-o", "comm= PID"]])
      assert.throws(
        () => refuseRenamedPid(args),
        (error) => isBerthError(error, "invalid_spec"),
        args.join(" "),
      );
    for (const args of [["-ef"], ["-o", "pid=PID,comm"], ["aux"], ["-o", "pid,ppid=PARENT"]]) refuseRenamedPid(args);
  });
});
