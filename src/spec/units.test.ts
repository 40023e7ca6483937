import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isBerthError } from "../errors.ts";
import { cpuQuotaUs, formatCpu, formatDuration, formatSize, nanoCpus, parseCpu, parseDuration, parseMemorySize, parseSize } from "./units.ts";

const refused = (run: () => unknown): void => assert.throws(run, (error) => isBerthError(error, "invalid_spec"));

describe("durations", () => {
  const cases: readonly (readonly [string, number])[] = [
    ["500ms", 500],
    ["30s", 30_000],
    ["1m 30s", 90_000],
    ["1m30s", 90_000],
    ["2h", 7_200_000],
    ["1d", 86_400_000],
    ["1w", 604_800_000],
    ["1M", 2_630_016_000],
    ["1y", 31_557_600_000],
    ["250us", 0.25],
    ["1ns", 1e-6],
    ["2minutes 1second", 121_000],
    ["0s", 0],
  ];
  for (const [text, ms] of cases) test(`${text} is ${ms} ms`, () => assert.equal(parseDuration(text), ms));

  for (const text of ["", "5", "s", "-5s", "1.5s", "5 s", "5x", "1h,2m", "constructor", "1constructor", `${"9".repeat(400)}s`]) {
    test(`${JSON.stringify(text.slice(0, 20))} is refused`, () => refused(() => parseDuration(text)));
  }

  test("output uses the largest exact units", () => {
    assert.equal(formatDuration(90_000), "1m 30s");
    assert.equal(formatDuration(0), "0s");
    assert.equal(formatDuration(691_200_500), "1w 1d 500ms");
    assert.equal(formatDuration(0.25), "250us");
  });

  test("what was written reads back", () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 40 }), (ms) => parseDuration(formatDuration(ms)) === ms));
  });
});

describe("sizes", () => {
  const cases: readonly (readonly [string, number])[] = [
    ["1", 1],
    ["4096", 4096],
    ["256Mi", 268_435_456],
    ["1.5Gi", 1_610_612_736],
    ["1k", 1000],
    ["1K", 1000],
    ["2m", 2e6],
    ["1G", 1e9],
    ["0.5Ki", 512],
    ["1.0005K", 1000],
    ["3Ti", 3 * 2 ** 40],
  ];
  for (const [text, bytes] of cases) test(`${text} is ${bytes} bytes`, () => assert.equal(parseSize(text), bytes));

  for (const text of ["", "0", "-1", "1B", "1KB", "1ki", "Ki", "1e3", "0.1", "1 0", "99999999999Ti"]) {
    test(`${JSON.stringify(text)} is refused`, () => refused(() => parseSize(text)));
  }

  test("memory wants a whole number and a binary suffix", () => {
    assert.equal(parseMemorySize("64Mi"), 67_108_864);
    for (const text of ["64M", "64", "1.5Gi", "0Mi", "064Mi"]) refused(() => parseMemorySize(text));
  });

  test("what was written reads back", () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 2 ** 50 }), (bytes) => parseSize(formatSize(bytes)) === bytes));
    assert.equal(formatSize(268_435_456), "256Mi");
  });
});

test("cores", () => {
  assert.equal(parseCpu("1.5"), 1.5);
  for (const text of ["0", "-1", "1e3", "x", ""]) refused(() => parseCpu(text));
  assert.equal(cpuQuotaUs(1.5), 150_000);
  assert.equal(nanoCpus(1.5), 1_500_000_000);
  assert.equal(formatCpu(0.1 + 0.2), "0.3");
});
