import { type ChildProcess, spawn } from "node:child_process";
import { ProcessError } from "../errors.ts";
import { onAbort } from "./abort.ts";

/** A command as data: what to run, and how to read its output. */
export interface Command<T> {
  readonly program: string;
  readonly args: readonly string[];
  readonly parse: (stdout: string) => T;
  readonly input?: string | undefined;
}

export interface Finished {
  /** `undefined` when a signal ended it. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Programs run without the environment of the caller but for the search path: nothing of it may leak into a container. */
export const childEnvironment: Readonly<Record<string, string>> = {
  PATH: process.env.PATH ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C",
};

/**
 * Runs to the end and answers whatever the exit code was. Rejects when the program could not be started.
 * It has a session of its own: a Ctrl-C at our terminal is for us to handle, and would kill it in the middle of its work.
 */
export function runToEnd(
  program: string,
  args: readonly string[],
  o: {
    readonly input?: string | undefined;
    readonly signal?: AbortSignal | undefined;
    /** Instead of {@link childEnvironment}. */
    readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  } = {},
): Promise<Finished> {
  o.signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child: ChildProcess = spawn(program, args, {
      stdio: [o.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      env: o.env ?? childEnvironment,
      detached: true,
    });
    const aborted = onAbort(o.signal, () => child.kill("SIGKILL"));
    let stdout = "";
    let stderr = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.stdin?.on("error", () => {});
    child.stdin?.end(o.input);
    child.once("error", (cause) => {
      aborted[Symbol.dispose]();
      reject(new ProcessError(`cannot run ${program}: ${cause.message}`, { args, exitCode: undefined, stderr: "", cause }));
    });
    child.once("close", (code) => {
      aborted[Symbol.dispose]();
      if (o.signal?.aborted) reject(o.signal.reason);
      else resolve({ exitCode: code ?? undefined, stdout, stderr: stderr.trim() });
    });
  });
}

/** Runs a {@link Command}; a non-zero exit is a `ProcessError` with the end of stderr. */
export async function run<T>(command: Command<T>, o: { readonly signal?: AbortSignal | undefined } = {}): Promise<T> {
  const { program, args } = command;
  const done = await runToEnd(program, args, { input: command.input, signal: o.signal });
  if (done.exitCode !== 0) {
    const stderr = done.stderr.slice(-2000);
    throw new ProcessError(`${program} ${args[0] ?? ""} failed: ${stderr || `exit code ${done.exitCode}`}`, {
      args,
      exitCode: done.exitCode,
      stderr,
    });
  }
  return command.parse(done.stdout);
}
