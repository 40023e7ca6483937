import type { Filters } from "../../docker-api/filters.ts";
import { parseDuration } from "../../spec/units.ts";
import { HttpError } from "../status.ts";

/** `until`: a time, or how long ago. Throws 400 for more than one, or for neither form. */
export function untilOf(filters: Filters): Date | undefined {
  const [text, ...others] = filters["until"] ?? [];
  if (text === undefined) return undefined;
  if (others.length > 0) throw new HttpError(400, "more than one until filter specified");
  if (/^\d{1,12}(\.\d{1,9})?$/.test(text)) return new Date(Number(text) * 1000);
  if (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(Date.parse(text))) return new Date(text);
  try {
    return new Date(Date.now() - parseDuration(text));
  } catch (cause) {
    throw new HttpError(400, `invalid until filter ${JSON.stringify(text)}: neither a time nor a duration`, { cause });
  }
}
