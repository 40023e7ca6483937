/**
 * Seals secrets at rest: AES-256-GCM under a key from a file that only its owner may read, or from a passphrase. What is
 * sealed is bound to its name, so that one entry cannot be put in the place of another.
 */
import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from "node:crypto";
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { BerthError } from "../errors.ts";
import { errnoCode } from "../internal/libc.ts";

export const passphraseVariable = "BERTH_CREDENTIALS_PASSPHRASE";

/** How the key is had: kept with what it seals. */
export type KeySource = { readonly kind: "file" } | { readonly kind: "passphrase"; readonly salt: string };

export interface Vault {
  seal(name: string, text: string): string;
  /** Throws `configuration` when the key is another one or the text was changed. */
  open(name: string, sealed: string): string;
}

const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/** A passphrase decides for stores that are new. */
export function newKeySource(passphrase: string | undefined): KeySource {
  return passphrase === undefined ? { kind: "file" } : { kind: "passphrase", salt: randomBytes(16).toString("base64") };
}

export function openVault(source: KeySource, o: { readonly keyFile: string; readonly passphrase: string | undefined }): Vault {
  const key = source.kind === "file" ? keyFromFile(o.keyFile) : keyFromPassphrase(source.salt, o.passphrase);
  return { seal: (name, text) => seal(key, name, text), open: (name, sealed) => open(key, name, sealed) };
}

function seal(key: Buffer, name: string, text: string): string {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(name));
  const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString("base64");
}

function open(key: Buffer, name: string, sealed: string): string {
  const bytes = Buffer.from(sealed, "base64");
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes });
    decipher.setAAD(Buffer.from(name)).setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
    return Buffer.concat([decipher.update(bytes.subarray(nonceBytes + tagBytes)), decipher.final()]).toString("utf8");
  } catch {
    throw new BerthError(
      "configuration",
      `what is kept of ${name} cannot be read with this key; log in again or create the secret again, or bring back the key it was kept with`,
    );
  }
}

function keyFromPassphrase(salt: string, passphrase: string | undefined): Buffer {
  if (passphrase === undefined) throw new BerthError("configuration", `the credential store is kept with a passphrase; set ${passphraseVariable}`);
  return scryptSync(passphrase, Buffer.from(salt, "base64"), keyBytes, { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 });
}

function keyFromFile(path: string): Buffer {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) makeKey(path);
  else if ((stat.mode & 0o077) !== 0) throw new BerthError("configuration", `${path} can be read by others; chmod 600 it, and change the passwords it keeps`);
  const key = Buffer.from(readFileSync(path, "latin1").trim(), "base64");
  if (key.length !== keyBytes)
    throw new BerthError("configuration", `${path} is not a key of ${keyBytes} bytes; bring back the file it was, or remove it and log in again`);
  return key;
}

/** Whole or not at all, and of two that make one at once the first counts. */
function makeKey(path: string): void {
  const fresh = `${path}.${process.pid}.${randomBytes(4).toString("hex")}`;
  const fd = openSync(fresh, "wx", 0o600);
  try {
    writeSync(fd, `${randomBytes(keyBytes).toString("base64")}\n`);
    fsyncSync(fd);
    linkSync(fresh, path);
  } catch (error) {
    if (errnoCode(error) !== "EEXIST") throw error;
  } finally {
    closeSync(fd);
    rmSync(fresh, { force: true });
  }
}
