/** Values that containers get as `$S:name` (contract 1.3), sealed at rest beside the credentials for registries. */
import { BerthError } from "../errors.ts";
import { SealedFile } from "./sealed-file.ts";
import type { StoredSecret } from "./types.ts";

interface SecretEntry {
  readonly name: string;
  /** RFC 3339. */
  readonly createdAt: string;
  /** The value, as the vault seals it under {@link sealedName}. */
  readonly sealed: string;
}

const longestBytes = 500 * 1024;
const namePattern = /^(@[a-zA-Z0-9][a-zA-Z0-9_.-]*\/)?[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

export class SecretStore {
  readonly #file: SealedFile<SecretEntry>;

  constructor(directory: string, env: Readonly<Record<string, string | undefined>>) {
    this.#file = new SealedFile({ directory, name: "secrets.json", env, parse: parseEntry });
  }

  list(): readonly StoredSecret[] {
    return this.#file
      .read()
      .entries.map(shown)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** In place of the secret of that name. Throws `invalid_spec` for what can be no variable of a process. */
  async put(name: string, value: string): Promise<StoredSecret> {
    checkName(name);
    if (value.includes("\0")) throw new BerthError("invalid_spec", `secret ${name} holds a NUL, which no variable can`);
    if (Buffer.byteLength(value) > longestBytes)
      throw new BerthError("invalid_spec", `secret ${name} is larger than ${longestBytes} bytes; mount a file instead`);
    const entry = { name, createdAt: new Date().toISOString() };
    await this.#file.change((entries, vault) => [...entries.filter((one) => one.name !== name), { ...entry, sealed: vault().seal(sealedName(name), value) }]);
    return shown(entry);
  }

  /** `false` when there is none. */
  async remove(name: string): Promise<boolean> {
    if (!this.#file.read().entries.some((entry) => entry.name === name)) return false;
    await this.#file.change((entries) => entries.filter((entry) => entry.name !== name));
    return true;
  }

  /** `undefined` when there is none of that name. Throws `configuration` when the key is not the one it was kept with. */
  value(name: string): string | undefined {
    const file = this.#file.read();
    const entry = file.entries.find((one) => one.name === name);
    return entry && this.#file.vault(file).open(sealedName(name), entry.sealed);
  }
}

function checkName(name: string): void {
  if (namePattern.test(name)) return;
  throw new BerthError("invalid_spec", `invalid secret name ${JSON.stringify(name)}: name or @service/name, of [a-zA-Z0-9][a-zA-Z0-9_.-]*`);
}

/** No registry's host holds a space, so no entry of the one file passes for one of the other. */
const sealedName = (name: string): string => `secret ${name}`;

function shown({ name, createdAt }: Omit<SecretEntry, "sealed">): StoredSecret {
  return { name, createdAt: new Date(createdAt) };
}

function parseEntry({ name, createdAt, sealed }: Readonly<Record<string, unknown>>): SecretEntry | undefined {
  return typeof name === "string" && typeof createdAt === "string" && typeof sealed === "string" ? { name, createdAt, sealed } : undefined;
}
