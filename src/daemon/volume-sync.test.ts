import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger } from "./log.ts";
import { startVolumeSync } from "./volume-sync.ts";

function setup(env: Record<string, string>, sync: () => Promise<{ name: string; key: string; uploaded: boolean }[]>) {
  const lines: string[] = [];
  const log = createLogger({ level: "info", format: "text", write: (line) => lines.push(line) });
  return { lines, started: startVolumeSync({ volumes: { sync }, env, log }) };
}

test("without a bucket nothing is synced", async () => {
  let calls = 0;
  const { started } = setup({ BERTH_S3_SYNC_INTERVAL: "1s" }, async () => {
    calls++;
    return [];
  });
  await started[Symbol.asyncDispose]();
  assert.equal(calls, 0);
});

test("volumes are synced at the interval and at the end, and a failure is told and stops nothing", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  let calls = 0;
  const { started, lines } = setup({ BERTH_S3_BUCKET: "b", BERTH_S3_SYNC_INTERVAL: "30s" }, async () => {
    if (++calls === 1) throw new Error("out of reach");
    return [{ name: "data", key: "web_data", uploaded: true }];
  });
  t.mock.timers.tick(30_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(calls, 1);
  assert.match(lines.join(), /out of reach/);
  await started[Symbol.asyncDispose]();
  assert.equal(calls, 2);
  assert.match(lines.join(), /data/);
});

test("an interval that is none is refused", () => {
  assert.throws(() => setup({ BERTH_S3_BUCKET: "b", BERTH_S3_SYNC_INTERVAL: "1ms" }, async () => []), { code: "configuration" });
});
