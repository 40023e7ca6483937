/** Header `X-Registry-Auth`: base64url of JSON. Its text is a secret and stands in no message. */
import { BerthError } from "../errors.ts";
import { isRecord } from "../spec/descriptor.ts";

export const registryAuthHeader = "x-registry-auth";

export interface WireRegistryAuth {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** base64 of `username:password`. */
  readonly auth?: string | undefined;
  readonly email?: string | undefined;
  readonly serveraddress?: string | undefined;
  /** Traded by the engine for a bearer token. */
  readonly identitytoken?: string | undefined;
  /** Sent by the engine as it is. */
  readonly registrytoken?: string | undefined;
}

export function encodeRegistryAuth(auth: WireRegistryAuth): string {
  const text = Buffer.from(JSON.stringify(auth)).toString("base64url");
  return text.padEnd(Math.ceil(text.length / 4) * 4, "=");
}

/** Reads both base64 alphabets, padded or not. Absent, empty or `{}` is `undefined`. Throws `invalid_spec`. */
export function decodeRegistryAuth(header: string | undefined): WireRegistryAuth | undefined {
  if (header === undefined || header.trim() === "") return undefined;
  const json = parse(Buffer.from(header, "base64").toString("utf8"));
  if (!isRecord(json)) throw new BerthError("invalid_spec", `${registryAuthHeader} is not base64 of a JSON object`);
  const fields = ["username", "password", "auth", "email", "serveraddress", "identitytoken", "registrytoken"] as const;
  const present = fields.flatMap((field) => {
    const value = json[field];
    return typeof value === "string" && value !== "" ? [[field, value] as const] : [];
  });
  return present.length === 0 ? undefined : Object.fromEntries(present);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
