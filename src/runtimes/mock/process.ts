/** A simulated process: a function that plays the program, with stdio, signals, time and files. */
import { messageOf } from "../../errors.ts";
import { parseSignal } from "../../spec/signals.ts";
import { ByteQueue } from "./byte-queue.ts";
import type { Clock } from "./clock.ts";
import type { FileTree } from "./file-tree.ts";

export type Channel = "stdout" | "stderr";

/** What a program sees. Everything that waits rejects once the process was killed, so that the function unwinds. */
export interface MockProcess {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly user: string | undefined;
  readonly tty: boolean;
  readonly hostname: string;
  readonly files: FileTree;
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Resolves when the reader has room. */
  write(channel: Channel, data: string | Uint8Array): Promise<void>;
  sleep(ms: number): Promise<void>;
  /** What a signal does from now on. Nothing can be done about SIGKILL. */
  trap(signal: string, action: "ignore" | (() => void)): void;
  exit(code: number): void;
  /** Ends by a signal, as `raise(3)` does. */
  die(signal: string): void;
  windowSize(): { readonly rows: number; readonly cols: number };
}

/** Plays a program; the number is the exit code. */
export type MockProgram = (process: MockProcess) => Promise<number> | number;

/** Why an argv cannot be executed: 127 not found, 126 not executable, 128 anything else. */
export interface StartRefusal {
  readonly exitCode: 126 | 127 | 128;
  readonly message: string;
}

export interface ProcessExit {
  readonly code: number;
  /** Number of the signal that ended it, `null` when it ended itself. */
  readonly signal: number | null;
  readonly oomKilled?: boolean | undefined;
}

export interface ProcessSetup extends Pick<MockProcess, "argv" | "env" | "cwd" | "user" | "tty" | "hostname" | "files"> {
  readonly clock: Clock;
  /** The kernel drops signals a container's first process has no handler for. */
  readonly isInit: boolean;
  readonly write: (channel: Channel, bytes: Uint8Array) => Promise<void> | void;
}

/** Signals whose default is to do nothing: CHLD, CONT, URG, WINCH; stopping is not simulated. */
const harmless = new Set([17, 18, 19, 20, 21, 22, 23, 28]);
const sigkill = 9;

export class RunningProcess implements MockProcess {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly user: string | undefined;
  readonly tty: boolean;
  readonly hostname: string;
  readonly files: FileTree;
  readonly stdin: ByteQueue = new ByteQueue();
  readonly exited: Promise<ProcessExit>;
  readonly #setup: ProcessSetup;
  readonly #ended = new AbortController();
  readonly #resolve: (exit: ProcessExit) => void;
  readonly #traps = new Map<number, "ignore" | (() => void)>();
  #size = { rows: 24, cols: 80 };
  #frozen: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;
  #queued: number[] = [];

  constructor(setup: ProcessSetup) {
    this.#setup = setup;
    ({ argv: this.argv, env: this.env, cwd: this.cwd, user: this.user, tty: this.tty, hostname: this.hostname, files: this.files } = setup);
    const { promise, resolve } = Promise.withResolvers<ProcessExit>();
    this.exited = promise;
    this.#resolve = resolve;
  }

  /** Runs the program up to its first wait. */
  start(program: MockProgram): void {
    this.#play(program).then(
      (code) => this.end({ code: code & 0xff, signal: null }),
      async (thrown: unknown) => {
        if (!this.#ended.signal.aborted) await this.#setup.write("stderr", Buffer.from(`${messageOf(thrown)}\n`));
        this.end({ code: 1, signal: null });
      },
    );
  }

  async #play(program: MockProgram): Promise<number> {
    return await program(this);
  }

  async write(channel: Channel, data: string | Uint8Array): Promise<void> {
    await this.#proceed();
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    const written = this.#setup.write(this.tty ? "stdout" : channel, bytes);
    if (written !== undefined) await this.#orEnd(written);
  }

  async sleep(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    using _timer = this.#setup.clock.after(ms, resolve);
    await this.#orEnd(promise);
    await this.#proceed();
  }

  trap(signal: string, action: "ignore" | (() => void)): void {
    this.#traps.set(parseSignal(signal, { any: true }), action);
  }

  exit(code: number): void {
    this.end({ code, signal: null });
  }

  die(signal: string): void {
    const number = parseSignal(signal, { any: true });
    if (!this.#setup.isInit) this.end({ code: 128 + number, signal: number });
  }

  windowSize(): { readonly rows: number; readonly cols: number } {
    return this.#size;
  }

  resize(rows: number, cols: number): void {
    if (rows <= 0 || cols <= 0 || this.#ended.signal.aborted) return;
    this.#size = { rows, cols };
    this.signal(28);
  }

  /** Delivers a signal; while frozen it stays pending, but for SIGKILL. */
  signal(number: number): void {
    if (this.#ended.signal.aborted) return;
    if (number === sigkill) return this.end({ code: 128 + sigkill, signal: sigkill });
    if (this.#frozen !== undefined) return void this.#queued.push(number);
    const action = this.#traps.get(number);
    if (action !== undefined) {
      if (action !== "ignore") action();
    } else if (!harmless.has(number) && !this.#setup.isInit) {
      this.end({ code: 128 + number, signal: number });
    }
  }

  freeze(): void {
    this.#frozen ??= Promise.withResolvers<void>();
  }

  thaw(): void {
    this.#frozen?.resolve();
    this.#frozen = undefined;
    for (const number of this.#queued.splice(0)) this.signal(number);
  }

  /** Ends it whatever it is doing; only the first end counts. */
  end(exit: ProcessExit): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort(new Error("the process was ended"));
    this.stdin.close();
    this.#resolve(exit);
  }

  async #proceed(): Promise<void> {
    this.#ended.signal.throwIfAborted();
    while (this.#frozen !== undefined) await this.#orEnd(this.#frozen.promise);
  }

  #orEnd(promise: Promise<void>): Promise<void> {
    const { signal } = this.#ended;
    return new Promise((resolve, reject) => {
      const onEnd = (): void => reject(signal.reason);
      if (signal.aborted) return onEnd();
      signal.addEventListener("abort", onEnd, { once: true });
      promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onEnd));
    });
  }
}

/** The program of a container nobody scripted: runs until a signal or the test ends it. */
export const runUntilSignalled: MockProgram = async (process) => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"]) process.trap(signal, () => process.exit(128 + parseSignal(signal, { any: true })));
  return await new Promise<number>(() => {});
};
