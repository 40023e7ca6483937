/** Versions of the Docker Engine API this engine speaks. */
import { HttpError } from "./status.ts";

export const defaultApiVersion = 47;
export const minimumApiVersion = 24;

/** Splits `/v1.41/containers/json` into the minor version and the rest; without a version the newest is meant. */
export function parseApiPath(path: string): { readonly minor: number; readonly rest: string } {
  const found = /^\/v(\d+)\.(\d+)(\/.*)$/.exec(path);
  if (found === null) return { minor: defaultApiVersion, rest: path };
  const [, major = "", minor = "", rest = "/"] = found;
  const number = Number(minor);
  if (Number(major) < 1 || (Number(major) === 1 && number < minimumApiVersion)) {
    const text = `client version ${major}.${minor} is too old. Minimum supported API version is 1.${minimumApiVersion}, please upgrade your client to a newer version`;
    throw new HttpError(400, text);
  }
  if (Number(major) > 1 || number > defaultApiVersion) {
    throw new HttpError(400, `client version ${major}.${minor} is too new. Maximum supported API version is 1.${defaultApiVersion}`);
  }
  return { minor: number, rest };
}
