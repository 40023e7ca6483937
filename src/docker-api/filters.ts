/** The `filters` parameter of list, prune and events: key → values, in Docker's two JSON forms. */
import { BerthError } from "../errors.ts";
import { isRecord } from "../spec/descriptor.ts";

export type Filters = Readonly<Record<string, readonly string[]>>;

/** `{"label":{"a=b":true}}`, the form of every API version from 1.22 on. Keys without values are left out. */
export function encodeFilters(filters: Filters): string {
  const entries = Object.entries(filters).filter(([, values]) => values.length > 0);
  return JSON.stringify(Object.fromEntries(entries.map(([key, values]) => [key, Object.fromEntries(values.map((value) => [value, true]))])));
}

/**
 * Reads `{"label":{"a=b":true}}` and the older `{"label":["a=b"]}`, also mixed. In the map form a value set to `false` is
 * not asked for. Absent or empty is no filter. Throws `invalid_spec`.
 */
export function decodeFilters(text: string | undefined): Filters {
  if (text === undefined || text === "") return {};
  const json = parse(text);
  if (!isRecord(json)) throw invalid(text);
  const filters = new Map<string, readonly string[]>();
  for (const [key, value] of Object.entries(json)) filters.set(key, valuesOf(value, text));
  return Object.fromEntries(filters);
}

/** Throws `invalid_spec` for a key that the route does not know, as Docker does. */
export function assertFilterKeys(filters: Filters, known: readonly string[]): void {
  const unknown = Object.keys(filters).find((key) => !known.includes(key));
  if (unknown !== undefined) throw new BerthError("invalid_spec", `invalid filter '${unknown}'; known are ${known.join(", ")}`);
}

function valuesOf(value: unknown, text: string): readonly string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  if (!isRecord(value) || !Object.values(value).every((set) => typeof set === "boolean")) throw invalid(text);
  return Object.keys(value).filter((key) => value[key] === true);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid(text);
  }
}

function invalid(text: string): BerthError {
  return new BerthError("invalid_spec", `filters ${JSON.stringify(text.slice(0, 200))} is neither {"key":["value"]} nor {"key":{"value":true}}`);
}
