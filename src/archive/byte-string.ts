/**
 * Names from a tar are byte strings: one character (U+0000–U+00FF) per byte. Slashes and dots are where one expects
 * them, and the bytes come out again as they went in.
 */

const ascii = /^[\x00-\x7f]*$/;

/** For `node:fs`: names beyond ASCII as the bytes they are. */
export function toPath(name: string): string | Buffer {
  return ascii.test(name) ? name : Buffer.from(name, "latin1");
}

/** For `void *` parameters of libc: with the NUL at its end. */
export function toCString(name: string): Buffer {
  return Buffer.from(`${name}\0`, "latin1");
}

/** For people; bytes that are no UTF-8 become U+FFFD. */
export function toDisplay(name: string): string {
  return ascii.test(name) ? name : Buffer.from(name, "latin1").toString();
}
