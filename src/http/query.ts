/** Readers of query parameters, with the words of the Docker API for what is wrong. */
import { HttpError } from "./status.ts";

/** Docker's rule: anything but empty, `0`, `no`, `false` and `none` is true. */
export function boolParam(query: URLSearchParams, name: string, fallback = false): boolean {
  const text = query.get(name);
  if (text === null) return fallback;
  return !["", "0", "no", "false", "none"].includes(text.trim().toLowerCase());
}

export function intParam(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  if (!/^[+-]?\d{1,15}$/.test(text)) throw new HttpError(400, `invalid value for ${name}: ${JSON.stringify(text)} is not a whole number`);
  return Number(text);
}

/** Unix seconds with fractions, or RFC 3339. Empty and absent are `undefined`. Answers seconds. */
export function timeParam(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  if (/^-?\d{1,15}(\.\d{1,9})?$/.test(text)) return Number(text);
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new HttpError(400, `invalid value for "${name}": ${JSON.stringify(text)} is neither Unix seconds nor an RFC 3339 time`);
  return ms / 1000;
}

/** `undefined` for absent and empty. */
export function textParam(query: URLSearchParams, name: string): string | undefined {
  return query.get(name) || undefined;
}
