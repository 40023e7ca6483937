import { closeSync, openSync, readSync } from "node:fs";

const buffer = Buffer.alloc(64 * 1024);

/** A small file of /proc or /sys that is read again and again: opened once, then one system call each time. */
export class KeptFile implements Disposable {
  readonly #path: string;
  #fd: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Its text now; empty when it is not there. */
  read(): string {
    try {
      this.#fd ??= openSync(this.#path, "r");
      return buffer.toString("latin1", 0, readSync(this.#fd, buffer, 0, buffer.length, 0));
    } catch {
      return "";
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
