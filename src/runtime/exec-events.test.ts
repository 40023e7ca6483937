import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { collectExec, type ExecChannel, ExecCollector, type ExecOutputChunk, execEvents, LineSplitter } from "./exec-events.ts";

async function* output(...list: readonly (readonly [ExecChannel, string | Uint8Array])[]): AsyncGenerator<ExecOutputChunk> {
  for (const [channel, data] of list) yield { channel, bytes: Buffer.from(data) };
}

describe("LineSplitter", () => {
  test("keeps newlines and holds back a partial line", () => {
    const lines = new LineSplitter();
    assert.deepEqual(lines.push(Buffer.from("a\nb\nc")), ["a\n", "b\n"]);
    assert.deepEqual(lines.push(Buffer.from("d\n\n")), ["cd\n", "\n"]);
    assert.equal(lines.end(), undefined);
  });

  test("never splits a character, whatever the cut", () => {
    const bytes = Buffer.from("zß水🍌\n".repeat(5));
    for (let size = 1; size < 9; size++) {
      const lines = new LineSplitter();
      const pieces: string[] = [];
      for (let from = 0; from < bytes.length; from += size) {
        pieces.push(...lines.push(bytes.subarray(from, from + size)));
        pieces.push(lines.flush() ?? "");
      }
      assert.equal(pieces.join("") + (lines.end() ?? ""), bytes.toString());
    }
  });

  test("hands on 16 KiB without a newline", () => {
    const lines = new LineSplitter();
    assert.deepEqual(lines.push(Buffer.alloc(16 * 1024 - 1, "x")), []);
    assert.equal(lines.push(Buffer.from("yy"))[0]?.length, 16 * 1024 + 1);
    assert.equal(lines.hasPartialLine, false);
  });

  test("an unfinished character at the end becomes U+FFFD", () => {
    const lines = new LineSplitter();
    lines.push(new Uint8Array([0x61, 0xe2, 0x82]));
    assert.equal(lines.end(), "a\ufffd");
  });
});

describe("execEvents", () => {
  test("yields lines of both channels and one exit, last", async () => {
    const handle = { output: output(["stdout", "a\nb"], ["stderr", "x\n"], ["stdout", "c\nrest"]), exit: Promise.resolve(7) };
    assert.deepEqual(await Array.fromAsync(execEvents(handle)), [
      { kind: "stdout", data: "a\n" },
      { kind: "stderr", data: "x\n" },
      { kind: "stdout", data: "bc\n" },
      { kind: "stdout", data: "rest" },
      { kind: "exit", code: 7 },
    ]);
  });

  test("a prompt without newline arrives while the process goes on", async () => {
    const more = Promise.withResolvers<void>();
    async function* prompting(): AsyncGenerator<ExecOutputChunk> {
      yield { channel: "stdout", bytes: Buffer.from("name? ") };
      await more.promise;
      yield { channel: "stdout", bytes: Buffer.from("thanks\n") };
    }
    const events = execEvents({ output: prompting(), exit: Promise.resolve(0) });
    assert.deepEqual((await events.next()).value, { kind: "stdout", data: "name? " });
    more.resolve();
    assert.deepEqual((await events.next()).value, { kind: "stdout", data: "thanks\n" });
    assert.deepEqual((await events.next()).value, { kind: "exit", code: 0 });
    assert.equal((await events.next()).done, true);
  });

  test("leaving the loop abandons the process", async () => {
    let abandoned = 0;
    const handle = { output: output(["stdout", "a\nb\n"]), exit: new Promise<number>(() => {}) };
    for await (const event of execEvents(handle, { abandon: () => abandoned++ })) {
      assert.equal(event.kind, "stdout");
      break;
    }
    assert.equal(abandoned, 1);
  });

  test("abort rejects the pending next and abandons the process", async () => {
    const abort = new AbortController();
    let abandoned = 0;
    async function* silent(): AsyncGenerator<ExecOutputChunk> {
      await new Promise(() => {});
    }
    const events = execEvents({ output: silent(), exit: new Promise<number>(() => {}) }, { signal: abort.signal, abandon: () => abandoned++ });
    const next = events.next();
    abort.abort(new Error("enough"));
    await assert.rejects(next, { message: "enough" });
    assert.equal(abandoned, 1);
    assert.equal((await events.next()).done, true);
  });

  test("abort and return before the first next abandon the process too", async () => {
    const abort = new AbortController();
    let abandoned = 0;
    const handle = { output: output(["stdout", "a\n"]), exit: new Promise<number>(() => {}) };
    execEvents(handle, { signal: abort.signal, abandon: () => abandoned++ });
    abort.abort();
    assert.equal(abandoned, 1);
    await execEvents(handle, { abandon: () => abandoned++ }).return?.();
    assert.equal(abandoned, 2);
  });

  test("trouble in the middle ends the stream without exit", async () => {
    async function* broken(): AsyncGenerator<ExecOutputChunk> {
      yield { channel: "stdout", bytes: Buffer.from("a\n") };
      throw new Error("pipe burst");
    }
    const told: string[] = [];
    const events = await Array.fromAsync(execEvents({ output: broken(), exit: new Promise<number>(() => {}) }, { onTrouble: (message) => told.push(message) }));
    assert.deepEqual(events, [{ kind: "stdout", data: "a\n" }]);
    assert.deepEqual(told, ["pipe burst"]);
  });
});

describe("collecting", () => {
  test("keeps the channels apart and decodes across chunks", async () => {
    const euro = Buffer.from("€");
    const handle = { output: output(["stdout", euro.subarray(0, 2)], ["stderr", "e"], ["stdout", euro.subarray(2)]), exit: Promise.resolve(4) };
    assert.deepEqual(await collectExec(handle), { exitCode: 4, stdout: "€", stderr: "e" });
  });

  test("discards what exceeds the limit of a channel and says so", () => {
    const collector = new ExecCollector(4);
    for (const text of ["abc", "def", "ghi"]) collector.add("stdout", Buffer.from(text));
    collector.add("stderr", Buffer.from("1234"));
    assert.deepEqual(collector.result(0), { exitCode: 0, stdout: "abcd", stderr: "1234", truncated: true });
  });

  test("adds why a command could not be started to stderr", () => {
    assert.deepEqual(new ExecCollector().result(127, "nope: not found"), { exitCode: 127, stdout: "", stderr: "nope: not found\n" });
  });
});
