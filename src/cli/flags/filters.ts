import { InvalidArgumentError } from "commander";
import { splitOnce } from "./values.ts";

/** Decides about one thing for one `--filter key=value`. */
export type FilterTest<T> = (value: string) => (candidate: T) => boolean;

/**
 * Reads `--filter`: values of one key are alternatives, different keys must all hold, as with Docker; labels must all hold.
 * An unknown key is refused.
 */
export function parseFilters<T>(flags: readonly string[], tests: Readonly<Record<string, FilterTest<T>>>): (candidate: T) => boolean {
  const byKey = new Map<string, ((candidate: T) => boolean)[]>();
  for (const flag of flags) {
    const [key, value] = splitOnce(flag, "=");
    const make = Object.hasOwn(tests, key) ? tests[key] : undefined;
    if (make === undefined || value === undefined) {
      throw new InvalidArgumentError(`invalid filter ${JSON.stringify(flag)}; there are ${Object.keys(tests).join("=, ")}=.`);
    }
    byKey.set(key, [...(byKey.get(key) ?? []), make(value)]);
  }
  return (candidate) =>
    [...byKey].every(([key, alternatives]) => (key === "label" ? alternatives.every((test) => test(candidate)) : alternatives.some((test) => test(candidate))));
}

/** `key`, `key=value`. */
export function hasLabel(labels: Readonly<Record<string, string>> | undefined, wanted: string): boolean {
  const [key, value] = splitOnce(wanted, "=");
  const found = labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
  return found !== undefined && (value === undefined || found === value);
}
