/** A further process in a running container, through `<oci runtime> exec` with its pipes or a pseudo-terminal of ours. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { ReadStream } from "node:tty";
import { BerthError } from "../../errors.ts";
import { makeRaw, openpty, pendingBytes, setWindowSize } from "../../internal/libc.ts";
import { processGroup } from "../../internal/process-identity.ts";
import { childEnvironment } from "../../internal/spawn.ts";
import { execArgs, type OciRuntime, startFailureCode } from "../../oci/runtime-command.ts";
import type { ExecHandle } from "../../runtime/types.ts";
import { type ExecChunk, execDuplex, ExecOutput } from "./exec-output.ts";

export interface ExecRequest {
  readonly oci: OciRuntime;
  readonly ociId: string;
  /** OCI process object. */
  readonly process: object;
  readonly bundle: string;
  /** Unique inside the bundle. */
  readonly name: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly command: readonly string[];
  /** When the container is gone, that ended the exec, whatever the OCI runtime complains of. */
  readonly containerEnds: (withinMs: number) => Promise<boolean>;
}

/** A started exec. */
export interface RunningExec extends ExecHandle {
  readonly output: AsyncIterable<ExecChunk>;
  /** Ends the process and its group. */
  kill(): void;
}

/** Starts the process. Throws only when the OCI runtime itself cannot be run; a missing command is exit code 127. */
export function startExec(request: ExecRequest): RunningExec {
  const files = execFiles(request);
  writeFileSync(files.process, JSON.stringify(request.process), { mode: 0o600 });
  const args = execArgs(request.oci, request.ociId, { processFile: files.process, pidFile: files.pid, logFile: files.log, tty: request.tty });
  return request.tty ? startWithTerminal(request, args, files) : startWithPipes(request, args, files);
}

interface ExecFiles {
  readonly process: string;
  readonly pid: string;
  readonly log: string;
}

function execFiles({ bundle, name }: ExecRequest): ExecFiles {
  const base = join(bundle, `exec-${name}`);
  return { process: `${base}.json`, pid: `${base}.pid`, log: `${base}.log` };
}

function startWithPipes(request: ExecRequest, args: readonly string[], files: ExecFiles): RunningExec {
  const child = spawn(request.oci.path, args, { stdio: [request.stdin ? "pipe" : "ignore", "pipe", "pipe"], env: childEnvironment, detached: true });
  const { stdin } = child;
  stdin?.on("error", () => {});
  const [stdout, stderr] = [must(child.stdout), must(child.stderr)];
  const sources: (readonly [Readable, ExecChunk["channel"]])[] = [];
  if (request.stdout) sources.push([stdout, "stdout"]);
  else stdout.resume();
  if (request.stderr) sources.push([stderr, "stderr"]);
  else stderr.resume();
  const output = new ExecOutput(sources);
  const ended = endOf(request, child, files, (text) => output.push({ channel: "stderr", bytes: Buffer.from(`${text}\n`) }));
  ended.then(() => cutOff(output)).catch(() => output.close());
  const stream = execDuplex(output, {
    write: (chunk, done) => {
      if (stdin === null || stdin.destroyed) done();
      else stdin.write(chunk, () => done());
    },
    end: () => stdin?.end(),
    hangUp: () => stdin?.destroy(),
  });
  return { stream, output, resize: () => {}, kill: () => void killGroup(child, files), exit: afterOutput(ended, output) };
}

/** A child that went to the background may hold the pipes: it is cut off 10 s after the exit (contract method 9). */
async function cutOff(output: ExecOutput): Promise<void> {
  const timer = setTimeout(() => output.close(), 10_000);
  await output.ended;
  clearTimeout(timer);
}

async function afterOutput(ended: Promise<number>, output: ExecOutput): Promise<number> {
  const code = await ended;
  await output.ended;
  return code;
}

/** A slave that somebody else still holds would keep the exec from ending. */
const ptyEndMs = 1_000;

/** How often, and how often in a row, a pty must be found empty before its last writer is let go. */
const [emptyCheckMs, emptyChecks] = [5, 2];

/**
 * Our own end of the slave stays open until all that was written has been read: when the last one closes, the kernel answers
 * EIO, and what the reader has not fetched by then is lost to it.
 */
async function closeWhenDrained(master: number, slave: number, terminal: ReadStream): Promise<void> {
  for (let empty = 0; empty < emptyChecks && !terminal.destroyed; empty = terminal.destroyed || pendingBytes(master) > 0 ? 0 : empty + 1) {
    await new Promise((resolve) => setTimeout(resolve, emptyCheckMs));
  }
  closeSync(slave);
}

function startWithTerminal(request: ExecRequest, args: readonly string[], files: ExecFiles): RunningExec {
  const { master, slave } = openpty();
  // The pty inside the container does the line editing; the OCI runtime makes ours raw too, but only after a while.
  makeRaw(slave);
  const child = spawn(request.oci.path, args, { stdio: [slave, slave, slave], env: childEnvironment, detached: true });
  const terminal = new ReadStream(master);
  const output = new ExecOutput([[terminal, "stdout"]]);
  const ended = endOf(request, child, files, (text) => output.push({ channel: "stdout", bytes: Buffer.from(`${text}\r\n`) }));
  ended
    .catch(() => {})
    .then(() => closeWhenDrained(master, slave, terminal))
    .then(() => {
      const timer = setTimeout(() => output.close(), ptyEndMs);
      return output.ended.then(() => clearTimeout(timer));
    })
    .catch(() => output.close());
  const stream = execDuplex(output, {
    write: (chunk, done) => {
      if (request.stdin && !terminal.destroyed) terminal.write(chunk, () => done());
      else done();
    },
    end: () => {},
    hangUp: () => terminal.destroy(),
  });
  let size: readonly [number, number] | undefined;
  const applySize = (): void => {
    if (size === undefined || terminal.destroyed) return;
    setWindowSize(master, size[0], size[1]);
    child.kill("SIGWINCH");
  };
  child.once("spawn", applySize);
  return {
    stream,
    output,
    resize(rows, cols) {
      if (rows <= 0 || cols <= 0) return;
      size = [rows, cols];
      applySize();
    },
    kill: () => void killGroup(child, files),
    exit: afterOutput(ended, output),
  };
}

/** Exit code of the exec'd process; a start that failed is told in `explain` and becomes 126 or 127 (contract A-13). */
function endOf(request: ExecRequest, child: ChildProcess, files: ExecFiles, explain: (text: string) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", (cause) => {
      removeFiles(files);
      reject(new BerthError("internal", `cannot run the oci runtime: ${cause.message}`, { cause }));
    });
    child.once("exit", async (code) => {
      const failure = code === 0 ? undefined : runtimeFailure(files.log);
      removeFiles(files);
      // The kernel kills the exec'd process a moment before it lets the dying main process go.
      if (failure === undefined) resolve(code ?? 137);
      else if (await request.containerEnds(startFailureCode(failure) === 128 ? 500 : 0)) resolve(137);
      else {
        const [program = ""] = request.command;
        explain(failure.includes(program) ? failure : `${program}: ${failure}`);
        resolve(startFailureCode(failure));
      }
    });
  });
}

/** What the OCI runtime itself complained of, as opposed to what the program wrote. */
function runtimeFailure(logFile: string): string | undefined {
  let lines: string[];
  try {
    lines = readFileSync(logFile, "utf8").split("\n").filter(Boolean);
  } catch {
    return undefined;
  }
  for (const line of lines) {
    const entry: unknown = parseLine(line);
    if (typeof entry === "object" && entry !== null && "level" in entry && "msg" in entry && entry.level === "error") return String(entry.msg);
  }
  return undefined;
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** How long an exec that is being aborted may take to name its process. */
const pidPatienceMs = 2_000;

/**
 * Kills the exec'd process with its group, which need not carry its pid, and then the OCI runtime's. A process that has no
 * pid yet is waited for: killing its starter first would let it get away.
 */
async function killGroup(child: ChildProcess, files: ExecFiles): Promise<void> {
  const deadline = Date.now() + pidPatienceMs;
  let pid = pidFrom(files.pid);
  while (pid === undefined && child.exitCode === null && child.signalCode === null && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    pid = pidFrom(files.pid);
  }
  const group = pid === undefined ? undefined : processGroup(pid);
  for (const target of [group === undefined ? undefined : -group, pid, child.pid === undefined ? undefined : -child.pid]) {
    if (target === undefined) continue;
    try {
      process.kill(target, "SIGKILL");
    } catch {
      // Gone already, or no group of its own.
    }
  }
}

function pidFrom(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, "latin1"));
    return pid > 1 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function removeFiles(files: ExecFiles): void {
  for (const file of Object.values(files)) rmSync(file, { force: true });
}

function must<T>(value: T | null): T {
  if (value === null) throw new BerthError("internal", "a child process came without its pipes");
  return value;
}
