/** One `<oci runtime> exec` as a child process: its files, its end, and signals to all that it started. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BerthError } from "../../errors.ts";
import { identifyProcess, openProcess, type PidFd, processGroup } from "../../internal/process-identity.ts";
import { childEnvironment } from "../../internal/spawn.ts";
import { execArgs, startFailureCode } from "../../oci/runtime-command.ts";
import type { ExecRequest } from "./exec-running.ts";
import { makeUnconfinedState } from "./unconfined-state.ts";

/** How it ended. */
export interface ExecExit {
  readonly code: number;
  /** From the real wait status: the signal that ended it, `null` when none did. Absent = only the code is known. */
  readonly signal?: number | null | undefined;
  /** The container ended meanwhile. */
  readonly containerGone: boolean;
}

/** How long an exec that is being ended may take to name its process. */
const pidPatienceMs = 2_000;
const killPatienceMs = 10_000;
/** The kernel kills the exec'd process a moment before it lets the dying main process go. */
const [endingMs, failedStartMs] = [100, 500];

export class ExecChild {
  readonly child: ChildProcess;
  /** Rejects only when the OCI runtime cannot be run. */
  readonly ended: Promise<ExecExit>;
  readonly #request: ExecRequest;
  readonly #base: string;
  #hasEnded = false;
  #isKilled = false;
  #process: PidFd | undefined;
  #pid: number | undefined;

  /** `explain` is told why the program could not be started. */
  constructor(request: ExecRequest, stdio: readonly ("pipe" | "ignore" | number)[], explain: (text: string) => void) {
    this.#request = request;
    this.#base = join(request.bundle, `exec-${request.name}`);
    const { oci, ociId, tty, group } = request;
    writeFileSync(this.#file("json"), JSON.stringify(request.process), { mode: 0o600 });
    if (request.unconfined) makeUnconfinedState(this.#file("state"), oci.root, ociId);
    const args = execArgs(oci, ociId, {
      processFile: this.#file("json"),
      pidFile: this.#file("pid"),
      logFile: this.#file("log"),
      root: request.unconfined ? this.#file("state") : undefined,
      cgroup: group?.argument,
      consoleSocket: request.consoleSocket,
      tty,
    });
    this.child = spawn(oci.path, args, { stdio: [...stdio], env: childEnvironment, detached: true });
    this.ended = this.#end(explain);
    this.ended.catch(() => {});
    if (request.watched) void this.#pidSoon();
  }

  /** Host pid; `undefined` before the OCI runtime told it, and when the process was gone too soon. */
  get pid(): number | undefined {
    if (this.#pid !== undefined || this.#hasEnded) return this.#pid;
    this.#pid = readPid(this.#file("pid"));
    if (this.#pid !== undefined && this.#request.watched) this.#hold(this.#pid);
    return this.#pid;
  }

  /** Reaches the process and everything it started. SIGKILL resolves when all of that is gone; after the end nothing happens. */
  async signal(number: number): Promise<void> {
    const pid = await this.#pidSoon();
    if (this.#hasEnded) return;
    if (number === 9) return this.#kill(pid);
    const { group } = this.#request;
    if (group !== undefined) group.signal(number);
    else if (pid !== undefined) signalTree(pid, number);
  }

  async #kill(pid: number | undefined): Promise<void> {
    const { group } = this.#request;
    this.#isKilled = true;
    const deadline = Date.now() + killPatienceMs;
    for (let pauseMs = 2; !this.#hasEnded || group?.isEmpty === false; pauseMs = Math.min(pauseMs * 2, 100)) {
      if (Date.now() > deadline) throw new BerthError("timeout", `exec of ${this.#request.command[0]} does not end on SIGKILL`, { timeoutMs: killPatienceMs });
      if (group !== undefined) group.signal(9);
      else if (pid !== undefined) signalTree(pid, 9);
      // Without a program there is only the OCI runtime to end; with a group it ends by itself.
      if (pid === undefined || group === undefined) signalTree(this.child.pid, 9);
      await Promise.race([this.ended.catch(() => {}), sleep(pauseMs)]);
    }
    group?.remove();
  }

  /** A process that has no pid yet is waited for: killing its starter first would let it get away. */
  async #pidSoon(): Promise<number | undefined> {
    const deadline = Date.now() + pidPatienceMs;
    while (this.pid === undefined && !this.#hasEnded && Date.now() < deadline) await Promise.race([this.ended.catch(() => {}), sleep(5)]);
    return this.pid;
  }

  /** Keeps a descriptor of the process, so that its wait status can be read when it ends. */
  #hold(pid: number): void {
    const identity = identifyProcess(pid);
    this.#process = identity && openProcess(identity);
  }

  #end(explain: (text: string) => void): Promise<ExecExit> {
    return new Promise((resolve, reject) => {
      this.child.once("error", (cause) => {
        this.#cleanUp();
        reject(new BerthError("internal", `cannot run the oci runtime: ${cause.message}`, { cause }));
      });
      this.child.once("exit", async (code) => {
        const failure = code === 0 ? undefined : runtimeFailure(this.#file("log"));
        this.#pid ??= readPid(this.#file("pid"));
        const status = this.#process?.waitStatus();
        this.#cleanUp();
        resolve(failure === undefined ? await this.#exited(code ?? 137, status) : await this.#failed(failure, explain));
      });
    });
  }

  async #exited(code: number, status: number | undefined): Promise<ExecExit> {
    const containerGone = code === 137 && !this.#isKilled && (await this.#request.containerEnding(endingMs));
    if (status === undefined) return { code, containerGone };
    return { code, signal: (status & 0x7f) === 0 ? null : status & 0x7f, containerGone };
  }

  /** A start that failed is explained and becomes 126 or 127 (contract A-13), unless the container is gone. */
  async #failed(failure: string, explain: (text: string) => void): Promise<ExecExit> {
    const code = startFailureCode(failure);
    if (await this.#request.containerEnding(code === 128 ? failedStartMs : 0)) return { code: 137, containerGone: true };
    const [program = ""] = this.#request.command;
    if (!this.#isKilled) explain(failure.includes(program) ? failure : `${program}: ${failure}`);
    return this.#isKilled ? { code: 137, signal: 9, containerGone: false } : { code, signal: null, containerGone: false };
  }

  #cleanUp(): void {
    this.#hasEnded = true;
    this.#process?.close();
    for (const suffix of ["json", "pid", "log"]) rmSync(this.#file(suffix), { force: true });
    if (this.#request.unconfined) rmSync(this.#file("state"), { recursive: true, force: true });
    this.#request.group?.remove();
  }

  #file(suffix: string): string {
    return `${this.#base}.${suffix}`;
  }
}

/** The group of the process, which need not carry its pid, and the process. */
function signalTree(pid: number | undefined, signal: number): void {
  if (pid === undefined) return;
  const group = processGroup(pid);
  for (const target of [group === undefined ? undefined : -group, pid]) {
    if (target === undefined) continue;
    try {
      process.kill(target, signal);
    } catch {
      // Gone already, or no group of its own.
    }
  }
}

function readPid(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, "latin1"));
    return pid > 1 ? pid : undefined;
  } catch {
    return undefined;
  }
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

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
