import { inspect } from "node:util";
import { CommanderError } from "commander";
import { BerthError, type ErrorCode, messageOf } from "../errors.ts";
import { InterruptedError } from "./interruption.ts";

/** A failure of the command line itself, with the exit code it shall end in. */
export class CliError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1, options?: ErrorOptions) {
    super(message, options);
    this.name = "CliError";
    this.exitCode = exitCode;
  }
}

/** What a shell reports for a program that died of SIGPIPE. */
export const brokenPipeCode = 141;

/** Docker's code for "the engine failed", as opposed to the container. */
export const engineFailureCode = 125;

/** Whoever read our output went away: no reason to complain. */
export function isBrokenPipe(thrown: unknown): boolean {
  return thrown instanceof Error && "code" in thrown && (thrown.code === "EPIPE" || thrown.code === "ERR_STREAM_DESTROYED");
}

/** Exit code of a command that threw: 125 where `docker run` has it, else 1. */
export function exitCodeOf(thrown: unknown, isRun: boolean): number {
  if (isBrokenPipe(thrown)) return brokenPipeCode;
  if (thrown instanceof InterruptedError || thrown instanceof CliError) return thrown.exitCode;
  const recorded = thrown instanceof BerthError && thrown.code === "start_failed" ? thrown.fields.exitCode : undefined;
  if (recorded === 126 || recorded === 127) return recorded;
  return isRun ? engineFailureCode : 1;
}

/** Whether there is nothing to say: the reader went away, or the user interrupted. */
export function isSilent(thrown: unknown): boolean {
  return isBrokenPipe(thrown) || thrown instanceof InterruptedError;
}

/** The lines for stderr. Stacks and causes only with `--debug`. */
export function failureLines(thrown: unknown, debug: boolean): readonly string[] {
  const lines = [`berth: ${messageOf(thrown)}`];
  const hint = thrown instanceof BerthError ? hints[thrown.code] : undefined;
  if (hint !== undefined && !messageOf(thrown).includes("berth doctor")) lines.push(`hint: ${hint}`);
  if (!(thrown instanceof BerthError || thrown instanceof CliError || thrown instanceof CommanderError) && !debug) {
    lines.push("hint: this looks like a defect of berth; --debug shows where it happened");
  }
  if (debug) lines.push(inspect(thrown, { depth: 6 }));
  return lines;
}

const hints: Partial<Record<ErrorCode, string>> = {
  configuration: '"berth doctor" checks this host and names the remedies',
  unsupported: '"berth info" shows which backend is in use',
  internal: "--debug shows the cause",
};
