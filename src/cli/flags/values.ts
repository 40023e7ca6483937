/** Small values as people write them after a flag. Every parser throws {@link InvalidArgumentError}, which becomes a usage error. */
import { InvalidArgumentError, Option } from "commander";

const sizeUnits = ["b", "k", "m", "g", "t", "p"];

/** Docker's sizes: `512m`, `1.5GiB`, `100kb`; every unit is a power of 1024, no unit means bytes. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([bkmgtp])(?:i?b)?)?$/i.exec(text.trim());
  if (match === null) throw new InvalidArgumentError(`${JSON.stringify(text)} is not a size; expected a number with b, k, m, g or t.`);
  return Math.floor(Number(match[1]) * 1024 ** Math.max(0, sizeUnits.indexOf((match[2] ?? "b").toLowerCase())));
}

/** {@link parseSize}, or `-1` for no limit. */
export function parseSizeOrUnlimited(text: string): number {
  return text.trim() === "-1" ? -1 : parseSize(text);
}

export function parseInteger(text: string): number {
  if (!/^[+-]?\d+$/.test(text.trim()) || !Number.isSafeInteger(Number(text))) {
    throw new InvalidArgumentError(`${JSON.stringify(text)} is not a whole number.`);
  }
  return Number(text);
}

export function parseCpus(text: string): number {
  const cpus = Number(text);
  if (!/^\d*\.?\d+$/.test(text.trim()) || !(cpus > 0)) {
    throw new InvalidArgumentError(`${JSON.stringify(text)} is not a number of CPUs; expected something like 1.5.`);
  }
  return cpus;
}

/** Cuts at the first `separator`; without one there is no second part. */
export function splitOnce(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** An option that may be given several times; its value is the list of all. */
export function listOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]);
}

const durationUnits: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of `10m`, `1h30m`, `500ms`; `undefined` for anything else. */
export function tryParseDurationMs(text: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)([a-zµ]+)/g)) total += Number(amount) * (durationUnits[unit ?? ""] ?? 0);
  return total;
}

/** Unix seconds of an instant: `2026-01-02T03:04:05Z`, a Unix time, or how long ago (`10m`). A time without zone is local. */
export function parseInstant(text: string, nowMs: number = Date.now()): number {
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text);
  const ago = tryParseDurationMs(text);
  if (ago !== undefined) return (nowMs - ago) / 1000;
  const local = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00` : text;
  const at = /^\d{4}-\d{2}-\d{2}T/.test(local) ? Date.parse(local.replace(/(\.\d{3})\d+/, "$1")) : Number.NaN;
  if (Number.isNaN(at)) {
    throw new InvalidArgumentError(`${JSON.stringify(text)} is not a time; expected 2026-01-02T03:04:05Z, Unix seconds or 10m.`);
  }
  return at / 1000;
}
