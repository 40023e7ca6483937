/** What it takes to start an exec, and what is there once it runs. */
import type { OciRuntime } from "../../oci/runtime-command.ts";
import type { ExecHandle } from "../../runtime/types.ts";
import type { ExecChild, ExecExit } from "./exec-child.ts";
import type { ExecGroup } from "./exec-group.ts";
import type { ExecChunk, ExecOutput } from "./exec-output.ts";

export interface ExecRequest {
  readonly oci: OciRuntime;
  readonly ociId: string;
  /** OCI process object. */
  readonly process: object;
  readonly bundle: string;
  /** Unique inside the bundle. */
  readonly name: string;
  readonly tty: boolean;
  readonly size?: { readonly rows: number; readonly cols: number } | undefined;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly command: readonly string[];
  /** Without seccomp filter. */
  readonly unconfined: boolean;
  /** Where the OCI runtime sends the terminal. */
  readonly consoleSocket?: string | undefined;
  /** Absent where nobody can end it, or the OCI runtime knows no such thing. */
  readonly group?: ExecGroup | undefined;
  /** Somebody wants to know how exactly it ends. */
  readonly watched: boolean;
  /** When the container is gone, that ended the exec, whatever the OCI runtime complains of. */
  readonly containerEnding: (withinMs: number) => Promise<boolean>;
}

/** A started exec. */
export interface RunningExec extends ExecHandle {
  readonly output: AsyncIterable<ExecChunk>;
  readonly pid: number | undefined;
  /** To the process and everything it started; SIGKILL resolves when all of that is gone. */
  signal(number: number): Promise<void>;
  /** As `exit`, with all that is known. */
  readonly finished: Promise<ExecExit>;
}

export function running(
  exec: ExecChild,
  parts: { readonly stream: ExecHandle["stream"]; readonly output: ExecOutput; readonly resize: ExecHandle["resize"] },
): RunningExec {
  const finished = afterOutput(exec.ended, parts.output);
  const exit = finished.then(({ code }) => code);
  exit.catch(() => {});
  return {
    ...parts,
    get pid() {
      return exec.pid;
    },
    signal: (number) => exec.signal(number),
    finished,
    exit,
  };
}

async function afterOutput(ended: Promise<ExecExit>, output: ExecOutput): Promise<ExecExit> {
  const exit = await ended;
  await output.ended;
  return exit;
}
