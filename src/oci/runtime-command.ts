/** Commands of an OCI runtime's command line as data, and what its answers mean. One form fits crun, runc, youki and runsc. */
import type { Command } from "../internal/spawn.ts";
import { BerthError } from "../errors.ts";
import { isRecord } from "../spec/descriptor.ts";
import type { OciState } from "../spec/runtime-spec.ts";

export interface OciRuntime {
  /** `crun`, `runc`, … */
  readonly name: string;
  /** Absolute path of the program. */
  readonly path: string;
  /** Its state directory (`--root`): one of our own, so that foreign containers are out of reach. */
  readonly root: string;
  readonly version?: string | undefined;
  /** Whether `exec` can put the process into a cgroup below the container's (`--cgroup`). */
  readonly execCgroup?: boolean | undefined;
}

/** Arguments that go before every subcommand; conmon passes them on one by one. */
export function globalArgs(runtime: OciRuntime): readonly string[] {
  return ["--root", runtime.root];
}

/** Normally conmon's work. `pidFile` receives the pid of the container's main process. */
export function createArgs(runtime: OciRuntime, id: string, o: { readonly bundle: string; readonly pidFile: string }): readonly string[] {
  return [...globalArgs(runtime), "create", "--bundle", o.bundle, "--pid-file", o.pidFile, id];
}

export function startCommand(runtime: OciRuntime, id: string): Command<void> {
  return command(runtime, ["start", id]);
}

/** With `force` a running container is killed first, and an unknown one is no error. */
export function deleteCommand(runtime: OciRuntime, id: string, o: { readonly force?: boolean | undefined } = {}): Command<void> {
  return command(runtime, ["delete", ...(o.force ? ["--force"] : []), id]);
}

/** `all` reaches every process of the container instead of the main one. */
export function killCommand(runtime: OciRuntime, id: string, signal: number, o: { readonly all?: boolean | undefined } = {}): Command<void> {
  return command(runtime, ["kill", ...(o.all ? ["--all"] : []), id, String(signal)]);
}

export function pauseCommand(runtime: OciRuntime, id: string): Command<void> {
  return command(runtime, ["pause", id]);
}

export function resumeCommand(runtime: OciRuntime, id: string): Command<void> {
  return command(runtime, ["resume", id]);
}

/** Changes limits of a running container; `resourcesFile` holds an `OciResources` document. */
export function updateCommand(runtime: OciRuntime, id: string, resourcesFile: string): Command<void> {
  return command(runtime, ["update", "--resources", resourcesFile, id]);
}

export function stateCommand(runtime: OciRuntime, id: string): Command<OciState> {
  return { program: runtime.path, args: [...globalArgs(runtime), "state", id], parse: parseOciState };
}

/** Version number of a runtime; needs no state directory. */
export function runtimeVersionCommand(path: string): Command<string> {
  return { program: path, args: ["--version"], parse: parseRuntimeVersion };
}

function command(runtime: OciRuntime, args: readonly string[]): Command<void> {
  return { program: runtime.path, args: [...globalArgs(runtime), ...args], parse: () => {} };
}

export interface ExecArgs {
  /** An {@link OciProcess} document; whether there is a terminal is said in it. */
  readonly processFile: string;
  readonly pidFile?: string | undefined;
  /** Where the runtime's own complaints go, as JSON lines, apart from what the program writes. */
  readonly logFile?: string | undefined;
  readonly tty?: boolean | undefined;
  /** Unix socket the runtime hands the terminal to. */
  readonly consoleSocket?: string | undefined;
  /** Name below the container's cgroup; for runc on cgroup v1 with the hierarchy before it, as `pids:name`. */
  readonly cgroup?: string | undefined;
  /** Instead of the runtime's own state directory. */
  readonly root?: string | undefined;
}

export function execArgs(runtime: OciRuntime, id: string, o: ExecArgs): readonly string[] {
  return [
    ...globalArgs(o.root === undefined ? runtime : { ...runtime, root: o.root }),
    ...(o.logFile === undefined ? [] : ["--log", o.logFile, "--log-format", "json"]),
    "exec",
    "--process",
    o.processFile,
    ...(o.pidFile === undefined ? [] : ["--pid-file", o.pidFile]),
    ...(o.tty ? ["--tty"] : []),
    ...(o.consoleSocket === undefined ? [] : ["--console-socket", o.consoleSocket]),
    ...(o.cgroup === undefined ? [] : ["--cgroup", o.cgroup]),
    id,
  ];
}

/** Reads the answer of `state`. Throws `internal` when it is none. */
export function parseOciState(stdout: string): OciState {
  let value: unknown;
  try {
    value = JSON.parse(stdout);
  } catch (cause) {
    throw new BerthError("internal", "the OCI runtime's state is not JSON", { cause });
  }
  if (!isRecord(value) || typeof value["id"] !== "string" || typeof value["status"] !== "string") {
    throw new BerthError("internal", "the OCI runtime's state lacks id or status");
  }
  const { id, status, pid } = value;
  return { id, status, pid: typeof pid === "number" && pid > 0 ? pid : undefined };
}

/** `1.8.1` of `crun version 1.8.1`; the first line when it holds no number. */
export function parseRuntimeVersion(stdout: string): string {
  return /\d+\.\d+[^\s,]*/.exec(stdout)?.[0] ?? stdout.split("\n", 1)[0]?.trim() ?? "";
}

/** What the OCI runtime complained of, without the time and level that its text or JSON log format puts around it. */
export function failureMessage(stderr: string): string {
  const text = stderr.trim();
  const logged = text.startsWith("{")
    ? text.split("\n").flatMap(messageOfLogLine)
    : [...text.matchAll(/\blevel=(?:error|fatal)\b.*?\bmsg=("(?:[^"\\]|\\.)*")/g)].map((match) => unquote(match[1] ?? ""));
  return logged.length > 0 ? logged.join("; ") : text;
}

function messageOfLogLine(line: string): readonly string[] {
  try {
    const entry: unknown = JSON.parse(line);
    return isRecord(entry) && entry["level"] === "error" && typeof entry["msg"] === "string" ? [entry["msg"]] : [];
  } catch {
    return [];
  }
}

function unquote(literal: string): string {
  try {
    return String(JSON.parse(literal));
  } catch {
    // Go quotes a few characters in ways JSON does not know.
    return literal.slice(1, -1);
  }
}

const notFoundPatterns: readonly RegExp[] = [
  /executable file .*not found/i,
  /\bexec: ".*?": (?:stat .*?: )?(?:no such file or directory|not a directory)/i,
  /\bexec (?:container process .*|\S+): no such file or directory/i,
  /\bexec: no such file or directory/i,
  /open executable: (?:no such file|not a directory|too many levels)/i,
  /chdir .*no such file or directory/i,
];
const notExecutablePatterns: readonly RegExp[] = [
  /open executable:/i,
  /\bexec: ".*?": (?:stat .*?: )?(?:permission denied|is a directory|operation not permitted)/i,
  /\bexec (?:container process .*|\S+): (?:permission denied|operation not permitted|is a directory)/i,
  /exec format error/i,
  /chdir .*(?:permission denied|not a directory)/i,
];

/** Exit code of a start or exec that failed, from what crun or runc said: 127 not found, 126 not executable, 128 anything else (contract ). */
export function startFailureCode(stderr: string): 126 | 127 | 128 {
  const message = failureMessage(stderr);
  if (notFoundPatterns.some((pattern) => pattern.test(message))) return 127;
  return notExecutablePatterns.some((pattern) => pattern.test(message)) ? 126 : 128;
}
