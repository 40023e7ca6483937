/** Command line of conmon, the parent of a container's main process, and what it answers (DESIGN section 2). */
import { BerthError } from "../errors.ts";
import { isRecord } from "../spec/descriptor.ts";
import { failureMessage, globalArgs, type OciRuntime } from "./runtime-command.ts";

export interface ConmonOptions {
  /** Id of the OCI container. */
  readonly id: string;
  /** Directory of config.json. The sockets `attach` and the FIFO `ctl` appear in it, so its path must be short. */
  readonly bundle: string;
  readonly runtime: OciRuntime;
  readonly pidFile: string;
  readonly monitorPidFile: string;
  /** conmon writes `<exitDirectory>/<id>` with the exit code when the container ends. */
  readonly exitDirectory: string;
  /** Also gets the exit code and the OOM notice, where set. */
  readonly persistDirectory?: string | undefined;
  /** File in `k8s-file` format. */
  readonly logPath: string;
  readonly logSizeMaxBytes?: number | undefined;
  readonly tty: boolean;
  /** A pipe on stdin instead of /dev/null. */
  readonly stdin: boolean;
  /** Stdin outlives the client that was attached to it. */
  readonly leaveStdinOpen: boolean;
  /** Program and arguments conmon runs after the container's end. */
  readonly exitCommand?: readonly string[] | undefined;
}

/** Arguments of the conmon that creates the container. `_OCI_SYNCPIPE` and `_OCI_STARTPIPE` go into its environment. */
export function conmonArgs(o: ConmonOptions): readonly string[] {
  const [exitProgram, ...exitArgs] = o.exitCommand ?? [];
  return [
    ...pair("--cid", o.id),
    ...pair("--cuuid", o.id),
    ...pair("--name", o.id),
    ...pair("--runtime", o.runtime.path),
    ...globalArgs(o.runtime).flatMap((argument) => pair("--runtime-arg", argument)),
    ...pair("--bundle", o.bundle),
    ...pair("--container-pidfile", o.pidFile),
    ...pair("--conmon-pidfile", o.monitorPidFile),
    ...pair("--exit-dir", o.exitDirectory),
    ...pair("--persist-dir", o.persistDirectory),
    ...pair("--log-path", `k8s-file:${o.logPath}`),
    ...pair("--log-size-max", o.logSizeMaxBytes),
    ...pair("--log-level", "error"),
    // The attach socket lies in the bundle under its full path, instead of in a shared directory with a shortened one.
    "--full-attach",
    // A sync of the log costs milliseconds at every exit; the log is no record anybody was promised.
    "--no-sync-log",
    ...(o.tty ? ["--terminal"] : []),
    ...(o.stdin ? ["--stdin"] : []),
    ...(o.leaveStdinOpen ? ["--leave-stdin-open"] : []),
    ...pair("--exit-command", exitProgram),
    ...exitArgs.flatMap((argument) => pair("--exit-command-arg", argument)),
  ];
}

/** With `=`, because a value may begin with a hyphen. */
function pair(option: string, value: string | number | undefined): readonly string[] {
  return value === undefined ? [] : [`${option}=${value}`];
}

export type SyncPipeAnswer = { readonly pid: number } | { readonly message: string };

/** First line on conmon's sync pipe: the pid of the created container, or what the OCI runtime said. Throws `internal` for anything else. */
export function parseSyncPipe(text: string): SyncPipeAnswer {
  let value: unknown;
  try {
    value = JSON.parse(text.split("\n", 1)[0] ?? "");
  } catch (cause) {
    throw new BerthError("internal", "conmon's answer is not JSON", { cause });
  }
  if (!isRecord(value)) throw new BerthError("internal", "conmon's answer is not an object");
  // Newer API versions of conmon call the number "data".
  const number = value["pid"] ?? value["data"];
  if (typeof number === "number" && number > 0) return { pid: number };
  const message = typeof value["message"] === "string" ? failureMessage(value["message"]) : "";
  return { message: message || `the OCI runtime failed${typeof number === "number" ? ` with ${number}` : ""}` };
}
