import { PassThrough } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import type { CliHost, CliInput, CliOutput } from "../../src/cli/host.ts";
import { runCli } from "../../src/cli/program.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { createMockRuntime } from "../../src/runtimes/mock/index.ts";
import type { MockProgram } from "../../src/runtimes/mock/process.ts";
import type { MockRuntime } from "../../src/runtimes/mock/mock-runtime.ts";

export interface CliRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliRunOptions {
  /** All of stdin; absent = nothing, and open. */
  readonly stdin?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly terminal?: boolean | undefined;
}

/** A command line under way. */
export interface RunningCli {
  readonly done: Promise<CliRun>;
  readonly stdin: PassThrough;
  /** What arrived so far. */
  stdout(): string;
  signal(signal: NodeJS.Signals): void;
  /** Resolves when stdout holds the text. */
  saw(text: string): Promise<void>;
}

/** Runs command lines in this process against one runtime, which stays open between them. */
export class CliBench {
  readonly runtime: Runtime;

  constructor(runtime: Runtime) {
    this.runtime = runtime;
  }

  run(args: readonly string[], o: CliRunOptions = {}): Promise<CliRun> {
    const running = this.start(args, o);
    if (o.stdin !== undefined) running.stdin.end(o.stdin);
    return running.done;
  }

  start(args: readonly string[], o: CliRunOptions = {}): RunningCli {
    const [stdin, stdout, stderr] = [new PassThrough(), collected(), collected()];
    const listeners = new Map<NodeJS.Signals, Set<(signal: NodeJS.Signals) => void>>();
    const host: CliHost = {
      stdin: withTerminal(stdin, o.terminal),
      stdout: withTerminal(stdout.stream, o.terminal),
      stderr: withTerminal(stderr.stream, o.terminal),
      env: o.env ?? {},
      openRuntime: async () => unclosable(this.runtime),
      onSignal: (signal, listener) => {
        const all = listeners.get(signal) ?? new Set();
        listeners.set(signal, all.add(listener));
        return { [Symbol.dispose]: () => void all.delete(listener) };
      },
      exitNow: () => {},
    };
    const done = runCli(args, host).then((code) => ({ code, stdout: stdout.text(), stderr: stderr.text() }));
    return {
      done,
      stdin,
      stdout: stdout.text,
      signal: (signal) => {
        for (const listener of listeners.get(signal) ?? []) listener(signal);
      },
      saw: async (text) => {
        const ended = done.then(() => true);
        while (!stdout.text().includes(text)) {
          if (await Promise.race([ended, turn(false)])) break;
        }
        if (!stdout.text().includes(text)) throw new Error(`${JSON.stringify(text)} never came; stdout: ${stdout.text()}; stderr: ${(await done).stderr}`);
      },
    };
  }
}

function collected(): { readonly stream: PassThrough; text(): string } {
  const stream = new PassThrough();
  let text = "";
  stream.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  return { stream, text: () => text };
}

function withTerminal<T extends CliInput | CliOutput>(stream: T, isTTY = false): T {
  return isTTY ? Object.assign(stream, { isTTY: true, columns: 80, rows: 24, setRawMode: () => {} }) : stream;
}

function unclosable(runtime: Runtime): Runtime {
  return new Proxy(runtime, {
    get: (target, key) => {
      if (key === "close") return async () => {};
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** A mock runtime whose containers know a handful of programs, with the image `demo` in its registry and in its store. */
export async function mockBench(): Promise<CliBench & { readonly runtime: MockRuntime }> {
  const runtime = createMockRuntime({ programs: toyProgram });
  runtime.control.publishImage("demo", { config: { cmd: ["echo", "from the image"] } });
  runtime.control.publishImage("not-local", { config: { cmd: ["echo", "pulled"] } });
  await runtime.pullImage("demo");
  const bench = new CliBench(runtime);
  return Object.assign(bench, { runtime });
}

/** echo, fail, env, cat, count, wait and trap; anything else is not found. */
function toyProgram(argv: readonly string[]): MockProgram | { readonly exitCode: 126 | 127; readonly message: string } {
  const [name, ...args] = argv;
  switch (name) {
    case "echo":
      return async (process) => {
        await process.write("stdout", `${args.join(" ")}\n`);
        return 0;
      };
    case "fail":
      return async (process) => {
        await process.write("stderr", "failing\n");
        return Number(args[0]);
      };
    case "env":
      return async (process) => {
        await process.write("stdout", `${process.env[args[0] ?? ""] ?? "(unset)"}\n`);
        return 0;
      };
    case "cat":
      return async (process) => {
        for await (const bytes of process.stdin) await process.write("stdout", bytes);
        return 0;
      };
    case "wait":
      return async (process) => {
        process.trap("TERM", () => process.exit(3));
        await process.write("stdout", "ready\n");
        await new Promise(() => {});
        return 0;
      };
    case "stubborn":
      return async (process) => {
        for (const signal of ["INT", "TERM"]) process.trap(signal, () => void process.write("stdout", `got ${signal}\n`));
        await process.write("stdout", "ready\n");
        await new Promise(() => {});
        return 0;
      };
    case "locked":
      return { exitCode: 126, message: "locked: permission denied" };
    default:
      return { exitCode: 127, message: `${name}: executable file not found in $PATH` };
  }
}
