import assert from "node:assert/strict";
import { test } from "node:test";
import { guardedStream } from "./guarded-stream.ts";

/** Yields 1, then waits for `stop`; tells when it was released. */
function source(released: () => void): (stop: AbortSignal) => AsyncGenerator<number> {
  return async function* (stop) {
    try {
      yield 1;
      await new Promise((_, reject) => {
        if (stop.aborted) return reject(stop.reason);
        stop.addEventListener("abort", () => reject(stop.reason), { once: true });
      });
    } finally {
      released();
    }
  };
}

test("passes items and the end through", async () => {
  const stream = guardedStream(async function* () {
    yield* [1, 2];
  }, undefined);
  assert.deepEqual(await Array.fromAsync(stream), [1, 2]);
  assert.equal((await stream.next()).done, true);
});

test("an abort rejects the pending next with its reason and finishes the stream", async () => {
  const abort = new AbortController();
  let released = 0;
  const stream = guardedStream(
    source(() => released++),
    abort.signal,
  );
  await stream.next();
  const pending = stream.next();
  abort.abort(new Error("enough"));
  await assert.rejects(pending, { message: "enough" });
  assert.equal((await stream.next()).done, true);
  assert.equal(released, 1);
});

test("return settles a pending next and may be called twice", async () => {
  let released = 0;
  const stream = guardedStream(
    source(() => released++),
    undefined,
  );
  await stream.next();
  const pending = stream.next();
  await stream.return?.();
  await stream.return?.();
  assert.equal((await pending).done, true);
  assert.equal(released, 1);
});

test("an error of the source ends the stream", async () => {
  const stream = guardedStream(async function* () {
    yield 1;
    throw new Error("broken");
  }, undefined);
  await stream.next();
  await assert.rejects(stream.next(), { message: "broken" });
  assert.equal((await stream.next()).done, true);
});
