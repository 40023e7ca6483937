/** What the fields of a tar entry mean to whoever writes the entry somewhere. */
import { BerthError } from "../errors.ts";
import { toDisplay } from "./byte-string.ts";

/** Names of a path below the directory that is written to; a leading slash is that directory. */
export function componentsOf(name: string, entry: string): string[] {
  const components: string[] = [];
  for (const component of name.split("/")) {
    if (component === "" || component === ".") continue;
    if (component !== "..") components.push(component);
    else if (components.pop() === undefined) throw refusedEntry(entry, "leads out of the directory it is to be written to");
  }
  return components;
}

export function refusedEntry(entry: string, why: string): BerthError {
  return new BerthError("invalid_spec", `archive entry ${JSON.stringify(toDisplay(entry))} ${why}`);
}

/** Seconds with a fraction, as tar entries have them. */
export function nanoseconds(seconds: number): bigint {
  const whole = Math.floor(seconds);
  return BigInt(whole) * 1_000_000_000n + BigInt(Math.round((seconds - whole) * 1e9));
}
