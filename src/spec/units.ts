/** Human-readable durations, sizes and CPU amounts (contract 0.3). Numbers are the machine's form: milliseconds, bytes, cores. */
import { BerthError } from "../errors.ts";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const week = 7 * day;
const month = 2_630_016 * second;
const year = 365.25 * day;

const durationUnits: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  ms: 1,
  ...{ s: second, sec: second, secs: second, second, seconds: second },
  ...{ m: minute, min: minute, mins: minute, minute, minutes: minute },
  ...{ h: hour, hr: hour, hrs: hour, hour, hours: hour },
  ...{ d: day, day, days: day, w: week, week, weeks: week },
  ...{ M: month, month, months: month, y: year, year, years: year },
};

/** Groups such as `1m 30s` as milliseconds, with a fraction below one millisecond. Throws `invalid_spec`. */
export function parseDuration(text: string): number {
  if (!/^\s*(?:\d+[a-zA-Z]+\s*)+$/.test(text)) throw notADuration(text);
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)([a-zA-Z]+)/g)) {
    const unitMs = durationUnits[unit ?? ""];
    if (unitMs === undefined) throw notADuration(text);
    // Dividing keeps 1500us exactly 1.5; a multiplication with 1e-3 would not.
    totalMs += unitMs < 1 ? Number(amount) / Math.round(1 / unitMs) : Number(amount) * unitMs;
  }
  if (!Number.isFinite(totalMs)) throw notADuration(text);
  return totalMs;
}

function notADuration(text: string): BerthError {
  return new BerthError("invalid_spec", `${JSON.stringify(text)} is not a duration; write one such as "500ms", "30s" or "1m 30s"`);
}

const formatSteps: readonly (readonly [string, number])[] = [
  ["w", week],
  ["d", day],
  ["h", hour],
  ["m", minute],
  ["s", second],
  ["ms", 1],
];

/** Largest exact units first, `1m 30s`; below one millisecond in `us` or `ns`. Takes milliseconds, zero or more. */
export function formatDuration(durationMs: number): string {
  if (durationMs === 0) return "0s";
  let rest = Math.floor(durationMs);
  const groups: string[] = [];
  for (const [unit, unitMs] of formatSteps) {
    const amount = Math.floor(rest / unitMs);
    if (amount > 0) groups.push(`${amount}${unit}`);
    rest -= amount * unitMs;
  }
  const nanoseconds = Math.round((durationMs - Math.floor(durationMs)) * 1e6);
  if (nanoseconds > 0) groups.push(nanoseconds % 1000 === 0 ? `${nanoseconds / 1000}us` : `${nanoseconds}ns`);
  return groups.join(" ");
}

const binaryUnits: Readonly<Record<string, number>> = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };
const decimalUnits: Readonly<Record<string, number>> = { K: 1e3, M: 1e6, G: 1e9, T: 1e12 };

/** `256Mi`, `1.5G`, `4096` as whole bytes, rounded down. Throws `invalid_spec` unless the result is at least one byte. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMGT]i|[KMGTkmgt])?$/.exec(text.trim());
  const suffix = match?.[2];
  const factor = suffix === undefined ? 1 : (binaryUnits[suffix] ?? decimalUnits[suffix.toUpperCase()] ?? Number.NaN);
  const bytes = Math.floor(Number(match?.[1]) * factor);
  if (match === null || !Number.isSafeInteger(bytes) || bytes < 1) {
    throw new BerthError("invalid_spec", `${JSON.stringify(text)} is not a size; write a positive number with an optional suffix, such as "256Mi" or "1G"`);
  }
  return bytes;
}

/** The narrower form `resources.memory` demands: a positive integer with `Ki`, `Mi`, `Gi` or `Ti`. Throws `invalid_spec`. */
export function parseMemorySize(text: string): number {
  if (!/^[1-9]\d*[KMGT]i$/.test(text)) {
    throw new BerthError("invalid_spec", `${JSON.stringify(text)} is not a memory size; write a positive integer with Ki, Mi, Gi or Ti, such as "256Mi"`);
  }
  return parseSize(text);
}

/** Bytes in the largest binary unit that is exact: `256Mi`, `1536Ki`, `1000`. Reads back with {@link parseSize}. */
export function formatSize(bytes: number): string {
  for (const suffix of ["Ti", "Gi", "Mi", "Ki"]) {
    const factor = binaryUnits[suffix] ?? 1;
    if (bytes >= factor && bytes % factor === 0) return `${bytes / factor}${suffix}`;
  }
  return String(bytes);
}

/** Decimal number of cores, greater than zero. Throws `invalid_spec`. */
export function parseCpu(text: string): number {
  const cores = /^\d+(?:\.\d+)?$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (!Number.isFinite(cores) || cores <= 0) {
    throw new BerthError("invalid_spec", `${JSON.stringify(text)} is not a number of cores; write a decimal greater than 0, such as "1.5"`);
  }
  return cores;
}

export const cpuPeriodUs = 100_000;

/** Microseconds of CPU time per {@link cpuPeriodUs}: 1.5 cores are 150000. */
export function cpuQuotaUs(cores: number): number {
  return Math.round(cores * cpuPeriodUs);
}

/** 1.5 cores are 1500000000. */
export function nanoCpus(cores: number): number {
  return Math.round(cores * 1e9);
}

export function formatCpu(cores: number): string {
  return String(Number(cores.toFixed(9)));
}
