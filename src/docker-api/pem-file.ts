import { readFileSync } from "node:fs";
import { BerthError, messageOf } from "../errors.ts";

/** The text of a certificate or key; `undefined` when there is no such file. Throws `configuration`. */
export function readPem(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && (cause.code === "ENOENT" || cause.code === "ENOTDIR")) return undefined;
    throw new BerthError("configuration", `cannot read ${path}: ${messageOf(cause)}`, { cause });
  }
}
