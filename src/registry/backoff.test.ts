import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRetryAfter, retryDelayMs, systemClock } from "./backoff.ts";
import { NetworkFailure, StatusFailure } from "./failure.ts";

test("Retry-After as seconds, date and Docker Hub's time stamp", () => {
  const now = Date.UTC(2026, 5, 1);
  assert.equal(parseRetryAfter("30", now), 30_000);
  assert.equal(parseRetryAfter(new Date(now + 5000).toUTCString(), now), 5000);
  assert.equal(parseRetryAfter(String(now / 1000 + 60), now), 60_000);
  assert.equal(parseRetryAfter("Thu, 01 Jan 1970 00:00:00 GMT", now), 0);
  assert.equal(parseRetryAfter("soon", now), undefined);
  assert.equal(parseRetryAfter(undefined, now), undefined);
});

test("what is worth a retry, and how long to wait", () => {
  const clock = { ...systemClock, random: () => 1 };
  const delay = (failure: unknown, retry = 0, wasReachable = true): number | undefined => retryDelayMs(failure, retry, { clock, wasReachable });
  const lost = new NetworkFailure("lost", "h", "");
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5].map((retry) => delay(lost, retry)),
    [250, 500, 1000, 2000, 4000, undefined],
  );
  assert.equal(delay(new NetworkFailure("nobody", "h", "")), 250);
  assert.equal(delay(new NetworkFailure("nobody", "h", ""), 0, false), undefined);
  for (const trouble of ["untrusted", "protocol", "refused"] as const) assert.equal(delay(new NetworkFailure(trouble, "h", "")), undefined);
  for (const status of [400, 401, 403, 404, 416]) assert.equal(delay(new StatusFailure({ status, host: "h" })), undefined);
  for (const status of [408, 429, 500, 503, 504]) assert.equal(delay(new StatusFailure({ status, host: "h" })), 250);
  assert.equal(delay(new Error("other")), undefined);
});

test("a real pause ends early by its signal", async () => {
  const abort = new AbortController();
  const pause = systemClock.delay(60_000, abort.signal);
  abort.abort();
  await assert.rejects(pause, { name: "AbortError" });
  await systemClock.delay(0, undefined);
});
