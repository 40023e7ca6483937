import type { Readable, Writable } from "node:stream";
import type { OpenOptions } from "../open-runtime.ts";
import type { Runtime } from "../runtime/runtime.ts";

/** stdin: a terminal when `isTTY`. */
export type CliInput = Readable & { readonly isTTY?: boolean | undefined; readonly fd?: number | undefined; setRawMode?(raw: boolean): unknown };

/** stdout or stderr; a terminal has a size and emits `resize`. */
export type CliOutput = Writable & { readonly isTTY?: boolean | undefined; readonly columns?: number | undefined; readonly rows?: number | undefined };

/** All that the command line touches of the world around it; tests hand in streams and a runtime of their own. */
export interface CliHost {
  readonly stdin: CliInput;
  readonly stdout: CliOutput;
  readonly stderr: CliOutput;
  readonly env: Readonly<Record<string, string | undefined>>;
  openRuntime(options: OpenOptions): Promise<Runtime>;
  /** Takes a signal over from its default action until disposed. */
  onSignal(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): Disposable;
  /** Ends at once, without cleaning up: the answer to somebody who interrupts again and again. */
  exitNow(code: number): void;
}

/** The real world. Streams are taken when they are first used: opening stdin has a price and side effects. */
export const processHost: CliHost = {
  get stdin() {
    return process.stdin;
  },
  get stdout() {
    return process.stdout;
  },
  get stderr() {
    return process.stderr;
  },
  env: process.env,
  openRuntime: async (options) => (await import("../open-runtime.ts")).openRuntime(options),
  onSignal(signal, listener) {
    process.on(signal, listener);
    return { [Symbol.dispose]: () => void process.off(signal, listener) };
  },
  exitNow: (code) => process.exit(code),
};
