import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runToEnd } from "./spawn.ts";

describe("a program we run", () => {
  test("has a session of its own, so that Ctrl-C at our terminal does not reach it", async () => {
    // Fields 5 and 6 of proc_pid_stat(5) are the process group and the session.
    const { stdout } = await runToEnd("sh", ["-c", "cut -d ' ' -f 1,5,6 /proc/$$/stat"]);
    const [pid, group, session] = stdout.trim().split(" ");
    assert.deepEqual([group, session], [pid, pid]);
  });
});
