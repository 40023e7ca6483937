/** Plays the programs of `programs.ts` where there is no kernel to run them. */
import type { Channel, Step } from "./programs.ts";
import { programs, stepsOf } from "./programs.ts";

/** The slice of a simulated process the steps need. */
export interface SimulatedProcess {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly hostname: string;
  readonly tty: boolean;
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly files: {
    exists(path: string): boolean;
    read(path: string): Uint8Array;
    append(path: string, data: string): void;
  };
  write(channel: Channel, data: string | Uint8Array): Promise<void>;
  sleep(ms: number): Promise<void>;
  trap(signal: string, action: "ignore" | (() => void)): void;
  exit(code: number): void;
  die(signal: string): void;
  windowSize(): { readonly rows: number; readonly cols: number };
}

type Simulation = (process: SimulatedProcess) => Promise<number>;

interface Refusal {
  readonly exitCode: 126 | 127;
  readonly message: string;
}

/** Who plays an argv; a refusal for what a kernel would not execute. */
export function simulateProgram(argv: readonly string[]): Simulation | Refusal {
  const steps = stepsOf(argv);
  if (steps !== undefined) return (process) => play(steps, process);
  if (argv[0] === "/bin/true" || argv[0] === "true") return async () => 0;
  if (argv[0] === "/demo/show-args") return (process) => showArgs(process, argv.slice(1));
  if (argv[0] === programs.notExecutable()[0]) return { exitCode: 126, message: `${argv[0]}: permission denied` };
  return { exitCode: 127, message: `${argv[0]}: executable file not found in $PATH` };
}

async function showArgs(process: SimulatedProcess, words: readonly string[]): Promise<number> {
  await process.write("stdout", words.map((word) => `${word}\n`).join(""));
  return 0;
}

/** Output in pieces of a pipe's size, as a real program would hand it over. */
const pieceBytes = 64 * 1024;

async function play(steps: readonly Step[], process: SimulatedProcess): Promise<number> {
  const input = new LineInput(process.stdin);
  for (const step of steps) {
    const code = await playStep(step, process, input);
    if (code !== undefined) return code;
  }
  return 0;
}

/** The exit code when the step ends the program. */
async function playStep(step: Step, process: SimulatedProcess, input: LineInput): Promise<number | undefined> {
  const say = (text: string): Promise<void> => process.write("stdout", `${text}\n`);
  switch (step.do) {
    case "print":
      return void (await process.write(step.to, step.text));
    case "bytes":
      return void (await process.write(step.to, Buffer.from(step.base64, "base64")));
    case "count":
      return void (await writeAll(process, step.to, Buffer.from(Array.from({ length: step.lines }, (_, n) => `${n + 1}\n`).join(""))));
    case "fill":
      return void (await writeAll(process, step.to, Buffer.alloc(step.bytes, "x")));
    case "sleep":
      return void (await process.sleep(step.ms));
    case "forever":
      return await new Promise<number>(() => {});
    case "trapExit":
      return void process.trap(step.signal, () => process.exit(step.code));
    case "trapPrint":
      return void process.trap(step.signal, () => void say(step.text).catch(() => {}));
    case "ignore":
      return void process.trap(step.signal, "ignore");
    case "append":
      return await orFail(process, async () => process.files.append(step.path, step.text));
    case "cat":
      return await orFail(process, async () => await process.write("stdout", process.files.read(step.path)));
    case "exists":
      return void (await say(process.files.exists(step.path) ? "yes" : "no"));
    case "await":
      while (!process.files.exists(step.path)) await process.sleep(2);
      return undefined;
    case "env":
      return void (await say(process.env[step.name] === undefined ? `${step.name} is unset` : `${step.name}=${process.env[step.name]}`));
    case "workdir":
      return void (await say(process.cwd));
    case "hostname":
      return void (await say(process.hostname));
    case "echoStdin":
      for await (const bytes of input.rest()) await process.write("stdout", bytes);
      return undefined;
    case "readLine": {
      const line = await input.line();
      return void (await say(line === undefined ? "end of input" : `got:${line}`));
    }
    case "isTerminal":
      return void (await say(process.tty ? "terminal" : "no terminal"));
    case "windowSize": {
      const { rows, cols } = process.windowSize();
      return void (await say(`${rows} ${cols}`));
    }
    case "die":
      return void process.die(step.signal);
    case "exit":
      return step.code;
  }
  return step satisfies never;
}

async function writeAll(process: SimulatedProcess, channel: Channel, bytes: Uint8Array): Promise<void> {
  for (let from = 0; from < bytes.length; from += pieceBytes) await process.write(channel, bytes.subarray(from, from + pieceBytes));
}

async function orFail(process: SimulatedProcess, work: () => Promise<void>): Promise<number | undefined> {
  try {
    await work();
    return undefined;
  } catch (thrown) {
    await process.write("stderr", `sh: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
    return 1;
  }
}

/** stdin by lines or whatever is left of it. */
class LineInput {
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async line(): Promise<string | undefined> {
    while (true) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0)
        return this.#take(end + 1)
          .toString()
          .slice(0, -1);
      const step = await this.#source.next();
      if (step.done === true) return this.#rest.length === 0 ? undefined : this.#take(this.#rest.length).toString();
      this.#rest = Buffer.concat([this.#rest, step.value]);
    }
  }

  async *rest(): AsyncGenerator<Uint8Array> {
    if (this.#rest.length > 0) yield this.#take(this.#rest.length);
    for (let step = await this.#source.next(); step.done !== true; step = await this.#source.next()) yield step.value;
  }

  #take(bytes: number): Buffer {
    const taken = this.#rest.subarray(0, bytes);
    this.#rest = this.#rest.subarray(bytes);
    return taken;
  }
}
