import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { containerId } from "../spec/container-id.ts";
import { assertSignal, assertTail, assertWaitCondition, logEntriesFrom, outcomeFromExit } from "./derive.ts";
import type { LogChunk } from "./types.ts";

const id = containerId({ service: "web", replica: 3 });
const at = new Date("2026-01-02T03:04:05.678Z");

async function* chunks(...list: readonly (readonly ["stdout" | "stderr", string | Uint8Array])[]): AsyncGenerator<LogChunk> {
  for (const [stream, data] of list) yield { stream, bytes: Buffer.from(data), timestamp: at };
}

async function messages(stream: AsyncIterable<LogChunk>, tail = 0): Promise<readonly string[]> {
  return (await logEntriesFrom(stream, id, tail)).map((entry) => `${entry.stream}:${entry.message}`);
}

describe("logEntriesFrom", () => {
  test("fills in source, service and time", async () => {
    assert.deepEqual(await logEntriesFrom(chunks(["stdout", "hello\n"]), id, 0), [
      { timestamp: at, stream: "stdout", message: "hello", source: { type: "container", id: "web-rep-3" }, service: "web" },
    ]);
  });

  test("joins the pieces of a line per channel and keeps the order in which lines begin", async () => {
    const stream = chunks(["stdout", "a"], ["stderr", "x\n"], ["stdout", "b\n"], ["stdout", "partial"]);
    assert.deepEqual(await messages(stream), ["stdout:ab", "stderr:x", "stdout:partial"]);
  });

  test("decodes a character that was split between pieces, and invalid bytes as U+FFFD", async () => {
    const euro = Buffer.from("€");
    const stream = chunks(["stdout", euro.subarray(0, 1)], ["stdout", euro.subarray(1)], ["stdout", "\n"], ["stdout", new Uint8Array([0xff, 0, 0x0a])]);
    assert.deepEqual(await messages(stream), ["stdout:€", "stdout:\ufffd\0"]);
  });

  test("tail counts lines over both channels", async () => {
    const lines = Array.from({ length: 50 }, (_, n) => [n % 2 === 0 ? "stdout" : "stderr", `${n}\n`] as const);
    assert.deepEqual(await messages(chunks(...lines), 3), ["stderr:47", "stdout:48", "stderr:49"]);
    assert.equal((await messages(chunks(...lines), 0)).length, 50);
    assert.equal((await messages(chunks(...lines), 1000)).length, 50);
  });

  test("drops a carriage return before the newline, empty lines stay", async () => {
    assert.deepEqual(await messages(chunks(["stdout", "a\r\n"], ["stdout", "\n"])), ["stdout:a", "stdout:"]);
  });

  test("refuses a tail that is no count", () => {
    for (const tail of [-1, 1.5, Number.NaN]) assert.throws(() => assertTail(tail), { code: "invalid_spec" });
  });
});

describe("outcomeFromExit", () => {
  const table = [
    [{ code: 0 }, { exitCode: 0, reason: "exited" }],
    [{ code: 128 }, { exitCode: 128, reason: "exited" }],
    [{ code: 137 }, { exitCode: 137, reason: "signal", signal: "SIGKILL" }],
    [{ code: 143 }, { exitCode: 143, reason: "signal", signal: "SIGTERM" }],
    [{ code: 160 }, { exitCode: 160, reason: "signal", signal: "signal_32" }],
    [{ code: 193 }, { exitCode: 193, reason: "exited" }],
    [{ code: 255 }, { exitCode: 255, reason: "exited" }],
    [
      { code: 137, signal: null },
      { exitCode: 137, reason: "exited" },
    ],
    [
      { code: 139, signal: 11 },
      { exitCode: 139, reason: "signal", signal: "SIGSEGV" },
    ],
    [
      { code: 137, signal: 9, oomKilled: true },
      { exitCode: 137, reason: "oom_killed" },
    ],
    [
      { code: 127, error: "not found" },
      { exitCode: 127, reason: "runtime_error" },
    ],
  ] as const;
  for (const [exit, outcome] of table) {
    test(`${JSON.stringify(exit)} is ${outcome.reason}`, () => assert.deepEqual(outcomeFromExit(exit), outcome));
  }

  test("keeps the time", () => {
    assert.equal(outcomeFromExit({ code: 0, finishedAt: at }).finishedAt, at);
  });
});

describe("assertSignal", () => {
  test("takes six names in any spelling", () => {
    assert.deepEqual(assertSignal(" sigTerm "), { number: 15, name: "SIGTERM" });
    assert.deepEqual(assertSignal("KILL"), { number: 9, name: "SIGKILL" });
    const numbers = ["HUP", "INT", "USR1", "USR2"].map((name) => assertSignal(name).number);
    assert.deepEqual(numbers, [1, 2, 10, 12]);
  });

  test("refuses everything else", () => {
    for (const text of ["", "  ", "STOP", "9", "SIGSIGTERM", "NOPE", "0"]) assert.throws(() => assertSignal(text), { code: "invalid_spec" });
  });

  test("with anySignal takes every Linux name and number", () => {
    const numbers = ["STOP", "sigcont", "9", "WINCH", "SYS", "IOT", "RTMIN", "RTMIN+3", "SIGRTMAX-1", "64"].map(
      (text) => assertSignal(text, { anySignal: true }).number,
    );
    assert.deepEqual(numbers, [19, 18, 9, 28, 31, 6, 34, 37, 63, 64]);
    assert.equal(assertSignal("37", { anySignal: true }).name, "SIGRTMIN+3");
    for (const text of ["", "0", "65", "RTMIN-1", "RTMAX+1", "NOPE"]) {
      assert.throws(() => assertSignal(text, { anySignal: true }), { code: "invalid_spec" });
    }
  });
});

test("assertWaitCondition reads the empty text as not-running and refuses unknown ones", () => {
  assert.equal(assertWaitCondition(""), "not-running");
  assert.equal(assertWaitCondition("removed"), "removed");
  assert.throws(() => assertWaitCondition("gone"), { code: "invalid_spec" });
});
