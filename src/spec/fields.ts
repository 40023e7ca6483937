/** Readers of single fields of a spec: each returns the value in its type or throws `invalid_spec` naming the field and the remedy. */
import { BerthError } from "../errors.ts";
import { isRecord } from "./descriptor.ts";
import { parseDuration } from "./units.ts";

export type Fields = Readonly<Record<string, unknown>>;

export function invalid(field: string, problem: string): BerthError {
  return new BerthError("invalid_spec", `${field}: ${problem}`);
}

/** Applies `read` unless the value is absent; `null` counts as absent, because JSON has no other word for it. */
export function optional<T>(value: unknown, field: string, read: (value: unknown, field: string) => T): T | undefined {
  return value === undefined || value === null ? undefined : read(value, field);
}

export function record(value: unknown, field: string): Fields {
  if (!isRecord(value)) throw invalid(field, "expected an object");
  return value;
}

/** Refuses a misspelt key instead of ignoring it. */
export function onlyKeys(value: Fields, field: string, keys: readonly string[]): void {
  for (const key of Object.keys(value)) {
    if (keys.includes(key)) continue;
    const near = keys.find((candidate) => simplified(candidate) === simplified(key));
    const remedy = near === undefined ? `known are ${keys.join(", ")}` : `did you mean ${JSON.stringify(near)}?`;
    throw invalid(field, `unknown key ${JSON.stringify(key)}; ${remedy}`);
  }
}

function simplified(key: string): string {
  return key
    .toLowerCase()
    .replace(/[^a-z0-9]/g, "")
    .replace(/s$/, "");
}

/** No NUL: the kernel would cut the string there. */
export function text(value: unknown, field: string): string {
  if (typeof value !== "string") throw invalid(field, "expected a string");
  if (value.includes("\0")) throw invalid(field, "must not contain a NUL character");
  return value;
}

export function nonEmptyText(value: unknown, field: string): string {
  const read = text(value, field);
  if (read.trim() === "") throw invalid(field, "must not be empty");
  return read;
}

export function boolean(value: unknown, field: string): boolean {
  if (typeof value !== "boolean") throw invalid(field, "expected true or false");
  return value;
}

export function integer(low: number, high: number): (value: unknown, field: string) => number {
  return (value, field) => {
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < low || value > high) {
      throw invalid(field, `expected a whole number from ${low} to ${high}`);
    }
    return value;
  };
}

export function oneOf<const T extends string>(...values: readonly T[]): (value: unknown, field: string) => T {
  return (value, field) => {
    const found = values.find((candidate) => candidate === value);
    if (found === undefined) throw invalid(field, `${JSON.stringify(value)} is not one of ${values.join(", ")}`);
    return found;
  };
}

export function list<T>(read: (value: unknown, field: string) => T): (value: unknown, field: string) => readonly T[] {
  return (value, field) => {
    if (!Array.isArray(value)) throw invalid(field, "expected a list");
    return value.map((item, index) => read(item, `${field}[${index}]`));
  };
}

export function stringMapOf(checkKey: (key: string, field: string) => void): (value: unknown, field: string) => Readonly<Record<string, string>> {
  return (value, field) => {
    const entries = Object.entries(record(value, field));
    for (const [key, item] of entries) {
      checkKey(key, field);
      text(item, `${field}.${key}`);
    }
    return Object.fromEntries(entries as [string, string][]);
  };
}

/** Absolute and normalised, without a trailing slash. */
export function absolutePath(value: unknown, field: string): string {
  const path = nonEmptyText(value, field);
  if (!path.startsWith("/")) throw invalid(field, `${JSON.stringify(path)} must be an absolute path`);
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** Milliseconds from a number of them or from a human string. */
export function durationMs(value: unknown, field: string): number {
  if (typeof value === "string") return within(field, () => parseDuration(value));
  if (typeof value !== "number" || !Number.isFinite(value)) throw invalid(field, 'expected milliseconds or a duration such as "30s"');
  return value;
}

export function positiveDurationMs(value: unknown, field: string): number {
  const read = durationMs(value, field);
  if (read <= 0) throw invalid(field, "must be longer than zero");
  return read;
}

/** Puts the field's name in front of what a parser of bare values says. */
export function within<T>(field: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof BerthError) throw invalid(field, error.message);
    throw error;
  }
}
