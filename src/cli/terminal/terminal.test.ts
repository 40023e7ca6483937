import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, test } from "node:test";
import { DetachFilter } from "../../spec/detach-keys.ts";
import { parseDetachKeys } from "./detach-keys.ts";
import { progressBar, pullRenderer } from "./progress.ts";
import { pumpStdin } from "./pump.ts";

function screen(columns: number, isTTY: boolean): { readonly output: PassThrough; text(): string } {
  const output = Object.assign(new PassThrough(), { isTTY, columns, rows: 24 });
  return { output, text: () => String(output.read() ?? "") };
}

describe("pull progress", () => {
  test("elsewhere than on a terminal every state of a layer is one line", () => {
    const { output, text } = screen(80, false);
    const renderer = pullRenderer(output);
    renderer.show({ kind: "status", status: "Pulling from library/x" });
    for (const current of [1, 2, 3]) renderer.show({ kind: "status", id: "aaaaaaaaaaaa", status: "Downloading", current, total: 3 });
    renderer.show({ kind: "status", id: "aaaaaaaaaaaa", status: "Pull complete" });
    renderer.close();
    assert.equal(text(), "Pulling from library/x\naaaaaaaaaaaa: Downloading\naaaaaaaaaaaa: Pull complete\n");
  });

  test("on a terminal layers are redrawn in place and no line is as wide as the screen", () => {
    let time = 0;
    const { output, text } = screen(40, true);
    const renderer = pullRenderer(output, () => time);
    renderer.show({ kind: "status", id: "aaaaaaaaaaaa", status: "Downloading", current: 0, total: 10e6 });
    time += 1000;
    renderer.show({ kind: "status", id: "bbbbbbbbbbbb", status: "Pulling fs layer" });
    time += 1000;
    renderer.show({ kind: "status", id: "aaaaaaaaaaaa", status: "Downloading", current: 5e6, total: 10e6 });
    const drawn = text();
    const frames = drawn.split("\x1b[J");
    assert.equal(frames.length, 3);
    assert.ok(drawn.includes("\x1b[1A\r\x1b[J"), "the second picture goes up one line");
    assert.ok(drawn.includes("\x1b[2A\r\x1b[J"), "the third goes up two");
    for (const line of (frames[2] ?? "").split("\n")) assert.ok([...line].length < 40, line);
    time += 1000;
    renderer.show({ kind: "status", status: "Digest: sha256:0" });
    assert.match(text(), /^\x1b\[2A\r\x1b\[JDigest: sha256:0\naaaa/);
    renderer.close();
  });

  test("pictures come at most every 50 ms, and the last state is always shown", () => {
    const { output, text } = screen(80, true);
    const renderer = pullRenderer(output, () => 0);
    for (let current = 0; current <= 1000; current++) renderer.show({ kind: "status", id: "aaaaaaaaaaaa", status: "Downloading", current, total: 1000 });
    renderer.show({ kind: "status", id: "aaaaaaaaaaaa", status: "Pull complete" });
    renderer.close();
    const drawn = text();
    assert.equal(drawn.split("\n").length - 1, 2);
    assert.match(drawn, /aaaaaaaaaaaa: Pull complete\n$/);
  });

  test("bars", () => {
    assert.equal(progressBar({ current: 5e6, total: 10e6 }), ` [${"=".repeat(15)}>${" ".repeat(14)}] 5MB/10MB`);
    assert.equal(progressBar({ current: 10, total: 10 }), ` [${"=".repeat(30)}] 10B/10B`);
    assert.equal(progressBar({ current: 10 }), " 10B");
    assert.equal(progressBar({}), "");
  });
});

describe("detach keys", () => {
  const keys = parseDetachKeys("ctrl-p,ctrl-q");
  const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

  test("are read as Docker spells them", () => {
    assert.deepEqual(keys, bytes(0x10, 0x11));
    assert.deepEqual(parseDetachKeys("ctrl-@,a"), bytes(0, 97));
    assert.deepEqual(parseDetachKeys(""), bytes());
    assert.throws(() => parseDetachKeys("alt-x"), /not a key/);
  });

  test("detach also when typed in two pieces; a broken sequence is passed on whole", () => {
    const filter = new DetachFilter(keys);
    assert.deepEqual(filter.push(bytes(97, 0x10)), { pass: bytes(97), detached: false });
    assert.deepEqual(filter.push(bytes(98)), { pass: bytes(0x10, 98), detached: false });
    assert.deepEqual(filter.push(bytes(0x10, 0x10)), { pass: bytes(0x10), detached: false });
    assert.deepEqual(filter.push(bytes(0x11, 99)), { pass: bytes(), detached: true });
  });

  test("end the copying of stdin", async () => {
    const input = new PassThrough();
    const got: number[] = [];
    const pump = pumpStdin(input, { write: async (chunk) => void got.push(...chunk), end: () => assert.fail("stdin did not end") }, keys);
    input.write(bytes(97, 0x10, 0x11));
    assert.equal(await pump.done, "detached");
    assert.deepEqual(got, [97]);
  });
});

test("the end of stdin is passed on once", async () => {
  const input = new PassThrough();
  let ended = 0;
  const pump = pumpStdin(input, { write: async () => {}, end: () => void ended++ }, new Uint8Array());
  input.end("x");
  assert.equal(await pump.done, "ended");
  assert.equal(ended, 1);
});
