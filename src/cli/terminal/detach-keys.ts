import { InvalidArgumentError } from "commander";
import { messageOf } from "../../errors.ts";
import { parseDetachKeys as parseKeys } from "../../spec/detach-keys.ts";

export const defaultDetachKeys = "ctrl-p,ctrl-q";

/** Bytes of `ctrl-p,ctrl-q` or `a,b`; empty turns detaching off. */
export function parseDetachKeys(text: string): Uint8Array {
  try {
    return parseKeys(text);
  } catch (error) {
    throw new InvalidArgumentError(`${messageOf(error)}.`);
  }
}
