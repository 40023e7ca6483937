/** A further process in a running container, through `<oci runtime> exec` with its pipes or a pseudo-terminal of ours. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Duplex, PassThrough, type Readable, type Writable } from "node:stream";
import { ReadStream } from "node:tty";
import { BerthError } from "../../errors.ts";
import { openpty, setWindowSize } from "../../internal/libc.ts";
import { childEnvironment } from "../../internal/spawn.ts";
import { execArgs, type OciRuntime, startFailureCode } from "../../oci/runtime-command.ts";
import type { ExecHandle } from "../../runtime/types.ts";

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
}

/** A started exec. `kill` ends its process group; the promise settles once. */
export interface RunningExec extends ExecHandle {
  readonly stdout: Readable;
  readonly stderr: Readable;
  kill(): void;
  /** Resolves as soon as the process ended, while its pipes may still be open in the hands of its children. */
  readonly ended: Promise<number>;
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
  if (!request.stdout) stdout.resume();
  if (!request.stderr) stderr.resume();
  const ended = endOf(child, files, (text) => stderr.unshift(Buffer.from(`${text}\n`)));
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  void ended.then(() => cutOff(closed, [stdout, stderr])).catch(() => {});
  const shown = { stdout: request.stdout ? stdout : empty(), stderr: request.stderr ? stderr : empty() };
  let merged: Duplex | undefined;
  return {
    ...shown,
    get stream() {
      merged ??= mergedStream(shown.stdout, shown.stderr, stdin);
      return merged;
    },
    get output() {
      return taggedOutput(shown.stdout, shown.stderr);
    },
    resize: () => {},
    kill: () => killGroup(child, files),
    ended,
    exit: ended.then((code) => closed.then(() => code)),
  };
}

/** A child that went to the background may hold the pipes: it is cut off 10 s after the exit (contract method 9). */
async function cutOff(closed: Promise<void>, pipes: readonly Readable[]): Promise<void> {
  const timer = setTimeout(() => {
    for (const pipe of pipes) pipe.destroy();
  }, 10_000);
  await closed;
  clearTimeout(timer);
}

function startWithTerminal(request: ExecRequest, args: readonly string[], files: ExecFiles): RunningExec {
  const { master, slave } = openpty();
  const child = spawn(request.oci.path, args, { stdio: [slave, slave, slave], env: childEnvironment, detached: true });
  child.once("spawn", () => closeSync(slave));
  child.once("error", () => closeSync(slave));
  const terminal = new ReadStream(master);
  const output = new PassThrough({ highWaterMark: 64 * 1024 });
  // The pty answers EIO when its last process is gone: that is its end of file.
  terminal.on("error", () => output.end());
  terminal.pipe(output);
  const ended = endOf(child, files, (text) => output.write(`${text}\r\n`));
  const write = (chunk: Uint8Array, done: (error?: Error | null) => void): void => {
    if (request.stdin && !terminal.destroyed) terminal.write(chunk, () => done());
    else done();
  };
  const stream = duplexOf(output, write, (done) => done(), () => terminal.destroy());
  let size: readonly [number, number] | undefined;
  const applySize = (): void => {
    if (size === undefined || terminal.destroyed) return;
    setWindowSize(master, size[0], size[1]);
    child.kill("SIGWINCH");
  };
  child.once("spawn", applySize);
  const drained = new Promise<void>((resolve) => output.once("end", resolve).once("close", resolve));
  void ended.then(() => setTimeout(() => terminal.destroy(), 200).unref());
  terminal.once("close", () => output.end());
  return {
    stdout: output,
    stderr: empty(),
    stream,
    resize(rows, cols) {
      if (rows <= 0 || cols <= 0) return;
      size = [rows, cols];
      if (child.pid !== undefined) applySize();
    },
    kill: () => killGroup(child, files),
    ended,
    exit: ended.then((code) => Promise.race([drained, delay(200)]).then(() => code)),
  };
}

/** Exit code of the exec'd process; a start that failed is told in `explain` and becomes 126 or 127 (contract A-13). */
function endOf(child: ChildProcess, files: ExecFiles, explain: (text: string) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", (cause) => {
      removeFiles(files);
      reject(new BerthError("internal", `cannot run the oci runtime: ${cause.message}`, { cause }));
    });
    child.once("exit", (code, signal) => {
      const failure = code === 0 ? undefined : runtimeFailure(files.log);
      removeFiles(files);
      if (failure !== undefined && !/container not running|does not exist|not running/i.test(failure)) {
        explain(failure);
        resolve(startFailureCode(failure));
      } else {
        resolve(failure !== undefined || signal !== null ? 137 : (code ?? 137));
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

/** The exec'd process leads a session of its own, so its group holds all that did not ask to leave it. */
function killGroup(child: ChildProcess, files: ExecFiles): void {
  try {
    const pid = Number(readFileSync(files.pid, "utf8"));
    if (pid > 1) {
      process.kill(pid, "SIGKILL");
      process.kill(-pid, "SIGKILL");
      return;
    }
  } catch {
    // Not started yet, or already gone.
  }
  child.kill("SIGKILL");
}

function removeFiles(files: ExecFiles): void {
  for (const file of Object.values(files)) rmSync(file, { force: true });
}

function mergedStream(stdout: Readable, stderr: Readable, stdin: Writable | null): Duplex {
  const merged = new PassThrough({ highWaterMark: 64 * 1024 });
  let open = 2;
  for (const source of [stdout, stderr]) {
    source.pipe(merged, { end: false });
    source.once("close", () => {
      open -= 1;
      if (open === 0) merged.end();
    });
  }
  const write = (chunk: Uint8Array, done: (error?: Error | null) => void): void => {
    if (stdin === null || stdin.destroyed) done();
    else stdin.write(chunk, () => done());
  };
  const end = (done: () => void): void => {
    stdin?.end();
    done();
  };
  return duplexOf(merged, write, end, () => {
    stdin?.destroy();
    stdout.destroy();
    stderr.destroy();
  });
}

function duplexOf(
  source: Readable,
  write: (chunk: Uint8Array, done: (error?: Error | null) => void) => void,
  final: (done: () => void) => void,
  hangUp: () => void,
): Duplex {
  const duplex = new Duplex({
    read: () => {
      source.resume();
    },
    write: (chunk: Uint8Array, _encoding, done) => write(chunk, done),
    final: (done) => final(done),
    destroy: (error, done) => {
      hangUp();
      source.destroy();
      done(error);
    },
  });
  source.on("data", (chunk) => {
    if (!duplex.push(chunk)) source.pause();
  });
  source.once("end", () => duplex.push(null));
  source.once("error", () => duplex.push(null));
  return duplex;
}

type Tagged = { readonly channel: "stdout" | "stderr"; readonly bytes: Uint8Array };

/** Both channels in arrival order; a reader that stops pauses both. */
async function* taggedOutput(stdout: Readable, stderr: Readable): AsyncGenerator<Tagged> {
  const queue: Tagged[] = [];
  let open = 2;
  let wake = (): void => {};
  const sources = [
    [stdout, "stdout"],
    [stderr, "stderr"],
  ] as const;
  for (const [source, channel] of sources) {
    source.on("data", (bytes: Uint8Array) => {
      queue.push({ channel, bytes });
      if (queue.length > 16) source.pause();
      wake();
    });
    source.once("close", () => {
      open -= 1;
      wake();
    });
  }
  try {
    for (;;) {
      const next = queue.shift();
      if (next !== undefined) yield next;
      else if (open === 0) return;
      else {
        for (const [source] of sources) source.resume();
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    stdout.destroy();
    stderr.destroy();
  }
}

function empty(): Readable {
  const stream = new PassThrough();
  stream.end();
  return stream;
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}

function must<T>(value: T | null): T {
  if (value === null) throw new BerthError("internal", "a child process came without its pipes");
  return value;
}

