/** Further processes in a simulated container (contract 2.5). */
import { randomBytes } from "node:crypto";
import { Duplex } from "node:stream";
import { BerthError } from "../../errors.ts";
import type { ExecOutputChunk } from "../../runtime/exec-events.ts";
import type { ExecProcessOptions } from "../../runtime/extras.ts";
import type { ExecHandle, ExecOptions } from "../../runtime/types.ts";
import type { Container } from "./container.ts";
import { surroundings } from "./lifecycle.ts";
import { type Channel, RunningProcess } from "./process.ts";
import { parseEnv } from "./process-setup.ts";
import type { World } from "./world.ts";

/** Output nobody has asked for yet may grow to this size; then writers wait, or it is discarded when nobody ever reads. */
const bufferBytes = 256 * 1024;

export interface StartedExec {
  readonly process: RunningProcess;
  readonly output: ExecOutput;
  readonly exit: Promise<number>;
  /** Message of a command that could not be executed. */
  readonly refusal: string | undefined;
}

/** Throws `conflict` when the container does not run or is paused, `invalid_spec` for an empty command. */
export function startExec(world: World, container: Container, o: ExecOptions & Pick<ExecProcessOptions, "size">, mode: "keep" | "wait"): StartedExec {
  if (o.command.length === 0) throw new BerthError("invalid_spec", "the command is empty; name a program");
  const { size } = o;
  const run = container.mustRun("exec in");
  if (container.paused) throw new BerthError("conflict", `cannot exec in ${container.key}: it is paused; unpause it first`);
  const around = surroundings(container, world);
  const output = new ExecOutput(mode);
  const process = new RunningProcess({
    ...around,
    argv: o.command,
    env: { ...around.env, ...(o.tty === true ? { TERM: "xterm" } : {}), ...parseEnv(o.env ?? []) },
    cwd: o.workingDir ?? around.cwd,
    user: o.user ?? around.user,
    tty: o.tty === true,
    clock: world.clock,
    isInit: false,
    write: (channel, bytes) => output.add(channel, o.tty === true ? toTerminal(bytes) : bytes),
  });
  if (size !== undefined && o.tty === true) process.resize(size.rows, size.cols);
  run.execs.add(process);
  const told = { execID: randomBytes(32).toString("hex") };
  for (const action of ["exec_create", "exec_start"]) world.journal.recordContainer(container, `${action}: ${o.command.join(" ")}`, told);
  const exit = process.exited.then(({ code }) => {
    run.execs.delete(process);
    output.end();
    world.journal.recordContainer(container, "exec_die", { ...told, exitCode: String(code) });
    return code;
  });
  const program = world.execProgram(o.command);
  if (typeof program === "function") process.start(program);
  else process.start(() => program.exitCode);
  const refusal = typeof program === "function" ? undefined : program.message;
  if (refusal !== undefined) void output.add("stderr", Buffer.from(`${refusal}\n`));
  return { process, output, exit, refusal };
}

/** A terminal turns every newline into carriage return and newline. */
function toTerminal(bytes: Uint8Array): Uint8Array {
  return Buffer.from(Buffer.from(bytes).toString("latin1").replaceAll("\n", "\r\n"), "latin1");
}

/** What an exec wrote, on its way to one reader. */
export class ExecOutput implements AsyncIterable<ExecOutputChunk> {
  #mode: "keep" | "wait";
  readonly #chunks: ExecOutputChunk[] = [];
  #bytes = 0;
  #wake: () => void = () => {};
  #room = Promise.withResolvers<void>();
  #ended = false;
  #discard = false;

  constructor(mode: "keep" | "wait") {
    this.#mode = mode;
  }

  /** `wait` makes the writer wait for the reader; `keep` discards beyond the buffer until somebody reads. */
  async add(channel: Channel, bytes: Uint8Array): Promise<void> {
    if (this.#discard || (this.#mode === "keep" && this.#bytes >= bufferBytes)) return;
    this.#chunks.push({ channel, bytes });
    this.#bytes += bytes.length;
    this.#wake();
    if (this.#mode === "wait" && this.#bytes >= bufferBytes) await this.#room.promise;
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** The reader is gone. */
  discard(): void {
    this.#discard = true;
    this.#chunks.length = 0;
    this.#bytes = 0;
    this.#makeRoom();
    this.end();
  }

  async next(): Promise<ExecOutputChunk | undefined> {
    this.#mode = "wait";
    while (true) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#bytes -= chunk.bytes.length;
        if (this.#bytes < bufferBytes) this.#makeRoom();
        return chunk;
      }
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ExecOutputChunk> {
    try {
      for (let chunk = await this.next(); chunk !== undefined; chunk = await this.next()) yield chunk;
    } finally {
      this.discard();
    }
  }

  #makeRoom(): void {
    this.#room.resolve();
    this.#room = Promise.withResolvers<void>();
  }
}

/** Method 16 around a started exec. */
export function interactive(started: StartedExec, o: ExecOptions): ExecHandle {
  const { process, output } = started;
  if (o.attachStdin !== true) process.stdin.end();
  const wanted = (chunk: ExecOutputChunk): boolean => o.tty === true || o[chunk.channel === "stdout" ? "attachStdout" : "attachStderr"] === true;
  const stream = new Duplex({
    allowHalfOpen: true,
    read() {
      void nextWanted(output, wanted).then((chunk) => this.push(chunk?.bytes ?? null));
    },
    write(bytes: Uint8Array, _encoding, done) {
      if (o.attachStdin !== true) return done();
      if (o.tty === true) void output.add("stdout", toTerminal(bytes));
      // Whoever writes to a process that has ended is told so by its exit.
      process.stdin.push(bytes).then(
        () => done(),
        () => done(),
      );
    },
    final(done) {
      process.stdin.end();
      done();
    },
    destroy(error, done) {
      process.stdin.end();
      output.discard();
      if (o.tty === true) process.signal(1);
      done(error);
    },
  });
  const separate = o.tty === true ? {} : { output: only(output, wanted) };
  return { stream, ...separate, resize: (rows, cols) => process.resize(rows, cols), exit: started.exit };
}

async function nextWanted(output: ExecOutput, wanted: (chunk: ExecOutputChunk) => boolean): Promise<ExecOutputChunk | undefined> {
  for (let chunk = await output.next(); chunk !== undefined; chunk = await output.next()) if (wanted(chunk)) return chunk;
  return undefined;
}

async function* only(output: ExecOutput, wanted: (chunk: ExecOutputChunk) => boolean): AsyncGenerator<ExecOutputChunk> {
  for await (const chunk of output) if (wanted(chunk)) yield chunk;
}
