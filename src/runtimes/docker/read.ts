/** Readers of an engine's answers: what is missing or of another type than documented counts as absent. */

export function items<T>(value: readonly T[] | null | undefined): readonly T[] {
  return Array.isArray(value) ? value : [];
}

export function entries<T>(value: Readonly<Record<string, T>> | null | undefined): readonly (readonly [string, T])[] {
  return typeof value === "object" && value !== null ? Object.entries(value) : [];
}

export function texts(value: readonly (string | null | undefined)[] | null | undefined): readonly string[] {
  return items(value).filter((item) => typeof item === "string");
}

export function text(value: string | null | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

export function number(value: number | null | undefined): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

export function stringRecord(value: Readonly<Record<string, string | null | undefined>> | null | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}

/** RFC 3339, Go's zero time is "never". */
export function instant(value: string | null | undefined): Date | undefined {
  if (typeof value !== "string" || value.startsWith("0001-01-01")) return undefined;
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? undefined : new Date(ms);
}

export function instantOfSeconds(value: number | null | undefined): Date | undefined {
  const seconds = number(value);
  return seconds === undefined || seconds <= 0 ? undefined : new Date(seconds * 1000);
}
