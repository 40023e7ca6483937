/** Long-running programs of the bench: started, waited for until they answer, ended by their process handle. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

export interface StartedChild {
  readonly pid: number;
  readonly process: ChildProcess;
  /** Ends it with SIGTERM, with SIGKILL after ten seconds. Idempotent. */
  stop(): Promise<void>;
}

/** Starts `program`, its output into the file `log`. */
export function startChild(program: string, args: readonly string[], log: string): StartedChild {
  const out = openSync(log, "a");
  const child = spawn(program, args, { stdio: ["ignore", out, out] });
  if (child.pid === undefined) throw new Error(`cannot start ${program}: is it installed?`);
  return { pid: child.pid, process: child, stop: () => stop(child) };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await exited;
  clearTimeout(timer);
}

/** Calls `probe` until it no longer throws; often, because the time until then is a figure of the bench. Gives up when the child ends. */
export async function untilReady(child: StartedChild, what: string, probe: () => Promise<unknown>, timeoutMs = 30_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    try {
      await probe();
      return;
    } catch (cause) {
      if (child.process.exitCode !== null) throw new Error(`${what} ended with exit code ${child.process.exitCode}`, { cause });
      if (performance.now() > end) throw new Error(`${what} did not answer within ${timeoutMs / 1000} s`, { cause });
      await delay(5);
    }
  }
}
