/** The docker command against an engine of a test's own. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly stdin?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
}

/** A command that hangs fails the test that waits for it, long before the group's limit. */
const limitMs = 300_000;

export function startCommand(program: string, args: readonly string[], o: CommandOptions = {}): ChildProcessWithoutNullStreams {
  return spawn(program, args, { stdio: "pipe", cwd: o.cwd, env: { ...process.env, ...o.env } });
}

/** Runs to the end; never rejects for an exit code. */
export async function runCommand(program: string, args: readonly string[], o: CommandOptions = {}): Promise<CommandResult> {
  const child = startCommand(program, args, o);
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
  child.stdin.on("error", () => {});
  child.stdin.end(o.stdin ?? "");
  const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
  const code = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exitCode) => resolve(exitCode ?? 137));
  });
  clearTimeout(timer);
  return { code, ...output };
}
