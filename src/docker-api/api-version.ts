/** Which version of the Engine API is spoken: the newest both sides know. */
import { BerthError } from "../errors.ts";

/** What these types and translations know. */
export const newestApiVersion = "1.47";
export const oldestApiVersion = "1.24";

/** `1.41` → 1041; `undefined` when it is no version. */
function order(version: string): number | undefined {
  const [, major, minor] = /^(\d{1,3})\.(\d{1,3})$/.exec(version) ?? [];
  return major === undefined ? undefined : Number(major) * 1000 + Number(minor);
}

/** Whether `version` is `than` or newer. */
export function isApiVersion(version: string, than: string): boolean {
  return (order(version) ?? 0) >= (order(than) ?? 0);
}

/** `offered` is the header `Api-Version` of the ping; an engine too old to send it speaks 1.24. Throws `configuration`. */
export function negotiateApiVersion(where: string, offered: string | undefined): string {
  const version = offered === undefined || offered === "" ? oldestApiVersion : offered;
  if (order(version) === undefined) throw new BerthError("internal", `the engine at ${where} names no API version but ${JSON.stringify(version.slice(0, 40))}`);
  if (!isApiVersion(version, oldestApiVersion)) {
    throw new BerthError("configuration", `the engine at ${where} speaks API ${version}; ${oldestApiVersion} or newer is needed: upgrade the engine`);
  }
  return isApiVersion(version, newestApiVersion) ? newestApiVersion : version;
}
