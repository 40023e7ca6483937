/** The keys that leave a container's terminal without ending it (Docker: `--detach-keys`). */
import { BerthError } from "../errors.ts";

export const defaultDetachKeys = "ctrl-p,ctrl-q";

/** Bytes of `ctrl-p,ctrl-q` or `a,b`; empty turns detaching off. Throws `invalid_spec`. */
export function parseDetachKeys(text: string): Uint8Array {
  if (text === "") return new Uint8Array();
  return Uint8Array.from(
    text.split(",").map((key) => {
      const control = /^ctrl-([a-z@[\\\]^_])$/.exec(key)?.[1];
      if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f;
      if (key.length === 1 && key.charCodeAt(0) < 128) return key.charCodeAt(0);
      throw new BerthError("invalid_spec", `${JSON.stringify(key)} is not a key; expected a letter or ctrl- and a letter`);
    }),
  );
}

/**
 * Watches typed bytes for the keys that detach. Bytes that begin the sequence are held back until it is clear whether it
 * goes on; when it does not, they are passed on in front of what followed.
 */
export class DetachFilter {
  readonly #keys: Uint8Array;
  #matched = 0;

  constructor(keys: Uint8Array) {
    this.#keys = keys;
  }

  /** What to pass on, and whether the sequence is complete. */
  push(bytes: Uint8Array): { readonly pass: Uint8Array; readonly detached: boolean } {
    if (this.#keys.length === 0) return { pass: bytes, detached: false };
    const pass: number[] = [];
    for (const byte of bytes) {
      if (byte !== this.#keys[this.#matched]) {
        pass.push(...this.#keys.subarray(0, this.#matched));
        this.#matched = 0;
      }
      if (byte !== this.#keys[this.#matched]) pass.push(byte);
      else if (++this.#matched === this.#keys.length) return { pass: Uint8Array.from(pass), detached: true };
    }
    return { pass: Uint8Array.from(pass), detached: false };
  }
}
