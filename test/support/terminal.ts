import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, writeSync } from "node:fs";
import { ReadStream } from "node:tty";
import { openpty, setWindowSize } from "../../src/internal/libc.ts";

/** A program at a real terminal: the slave of a pseudo-terminal is its controlling terminal, the test sits at the other side. */
export interface Terminal {
  /** What was shown so far, escape sequences included. */
  screen(): string;
  type(text: string): void;
  resize(rows: number, cols: number): void;
  /** Resolves when the screen holds the text; rejects with the screen when the program ends without it. */
  saw(text: string | RegExp): Promise<void>;
  /** Exit code; 128 + n when a signal ended it. */
  readonly exit: Promise<number>;
  readonly child: ChildProcess;
}

export function openTerminal(program: string, args: readonly string[], env: NodeJS.ProcessEnv, size = { rows: 24, cols: 80 }): Terminal {
  const { master, slave } = openpty();
  setWindowSize(master, size.rows, size.cols);
  const child = spawn("setsid", ["--ctty", "--wait", program, ...args], { stdio: [slave, slave, slave], env });
  closeSync(slave);
  let shown = "";
  const watchers = new Set<() => void>();
  const notify = (): void => {
    for (const watcher of watchers) watcher();
  };
  // A file stream would keep a thread of the pool in read(2), and the engine under test may need it.
  const output = new ReadStream(master).setEncoding("utf8");
  output.on("data", (text: string) => {
    shown += text;
    notify();
  });
  // The last program at the slave ended: the kernel says EIO.
  output.on("error", () => {});
  const exit = new Promise<number>((resolve) => {
    child.once("close", (code, signal) => resolve(code ?? (signal === null ? 1 : 137)));
  });
  const ended = new Promise<void>((resolve) => output.once("close", resolve));
  return {
    child,
    exit,
    screen: () => shown,
    type: (text) => void writeSync(master, text),
    resize: (rows, cols) => setWindowSize(master, rows, cols),
    saw: (wanted) => {
      const isThere = (): boolean => (typeof wanted === "string" ? shown.includes(wanted) : wanted.test(shown));
      return new Promise((resolve, reject) => {
        const look = (): void => {
          if (!isThere()) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
        void ended.then(() => isThere() || reject(new Error(`${wanted} never appeared:\n${shown}`)));
      });
    },
  };
}
