/** Assertions contract cases share. */
import assert from "node:assert/strict";
import { BerthError, type ErrorCode } from "../../errors.ts";

/** The call must reject with a `BerthError` of this code; answers it for a closer look. */
export async function rejectsWith(code: ErrorCode, call: Promise<unknown>): Promise<BerthError> {
  let outcome: unknown;
  try {
    outcome = await call;
  } catch (thrown) {
    assert.ok(thrown instanceof BerthError, `expected a BerthError with code ${code} but got: ${describe(thrown)}`);
    assert.equal(thrown.code, code, `the error says: ${thrown.message}`);
    return thrown;
  }
  return assert.fail(`expected a rejection with code ${code} but it resolved with ${JSON.stringify(outcome)}`);
}

function describe(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}

/** The call must reject with this very reason, as an abort does. */
export async function rejectsBecause(reason: unknown, call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (thrown) {
    assert.equal(thrown, reason);
    return;
  }
  assert.fail("expected a rejection with the reason of the abort");
}

/** Whether the promise is still pending after everything that is due now was done and `ms` have passed. */
export async function isPending(promise: Promise<unknown>, ms = 60): Promise<boolean> {
  const waited = Symbol("waited");
  const timer = Promise.withResolvers<typeof waited>();
  const handle = setTimeout(() => timer.resolve(waited), ms);
  const settled = promise.then(
    () => undefined,
    () => undefined,
  );
  const winner = await Promise.race([settled, timer.promise]);
  clearTimeout(handle);
  return winner === waited;
}

/** How many times longer than usual a condition may take: an emulated machine is slow. */
export const patience: number = Number(process.env["BERTH_PATIENCE"] ?? 1);

/** Calls until it answers true; fails with `what` after `ms`. */
export async function eventually(what: string | (() => string), check: () => boolean | Promise<boolean>, ms = 5000): Promise<void> {
  const end = performance.now() + ms * patience;
  while (!(await check())) {
    assert.ok(performance.now() < end, `${typeof what === "string" ? what : what()} did not happen within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** An abort with a reason that can be told from any other. */
export function aborter(): { readonly signal: AbortSignal; readonly reason: Error; abort(): void } {
  const controller = new AbortController();
  const reason = new Error("the case aborts");
  return { signal: controller.signal, reason, abort: () => controller.abort(reason) };
}
