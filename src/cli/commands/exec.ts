import { Command } from "commander";
import { resolveContainer } from "../../engine/resolve.ts";
import type { ExecProcessOptions } from "../../runtime/extras.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { CallOptions, ExecHandle } from "../../runtime/types.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { CliContext } from "../context.ts";
import { collectEnvironment } from "../flags/environment.ts";
import { listOption } from "../flags/values.ts";
import { checkTerminal } from "../foreground.ts";
import type { CliHost } from "../host.ts";
import { defaultDetachKeys, parseDetachKeys } from "../terminal/detach-keys.ts";
import { type Output, pumpOutput, pumpStdin } from "../terminal/pump.ts";
import { followSize, rawMode } from "../terminal/raw-mode.ts";
import { writeAll } from "../terminal/write.ts";

interface ExecFlags {
  readonly detach?: boolean;
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly env?: readonly string[];
  readonly envFile?: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
  readonly privileged?: boolean;
  readonly detachKeys: string;
}

export function execCommand(context: CliContext): Command {
  return new Command("exec")
    .passThroughOptions()
    .argument("<container>", "name or id")
    .argument("<command>", "program to run")
    .argument("[argument...]", "its arguments")
    .option("-d, --detach", "leave it running in the background")
    .option("-i, --interactive", "pass stdin on")
    .option("-t, --tty", "give the process a terminal")
    .addOption(listOption("-e, --env <key[=value]>", "set a variable; without a value take it from the environment"))
    .addOption(listOption("--env-file <file>", "read variables from a file"))
    .option("-u, --user <user[:group]>", "name or number of the user")
    .option("-w, --workdir <dir>", "working directory inside the container")
    .option("--privileged", "give all capabilities")
    .option("--detach-keys <keys>", "keys that leave the process running", defaultDetachKeys)
    .action(async (name: string, program: string, args: readonly string[], options: ExecFlags) => {
      if (!options.detach) checkTerminal(() => context.host.stdin, options);
      const runtime = await context.runtime();
      const { containerId } = await resolveContainer(runtime, name);
      const { signal } = context.interruption();
      const env = collectEnvironment(options.env ?? [], options.envFile ?? [], context.host.env);
      const { rows, columns: cols } = context.host.stdout;
      const request = {
        command: [program, ...args],
        env: Object.entries(env).map(([key, value]) => `${key}=${value}`),
        workingDir: options.workdir,
        user: options.user,
        privileged: options.privileged,
        tty: options.tty,
        attachStdin: options.interactive === true && !options.detach,
        attachStdout: !options.detach,
        attachStderr: !options.detach,
        size: rows === undefined || cols === undefined ? undefined : { rows, cols },
      };
      const handle = await open(runtime, containerId, request, options.detach ? {} : { signal });
      // Nobody waits for a process left behind; that it ends badly is its own affair.
      if (options.detach) void handle.exit.catch(() => {});
      else context.exitCode = await converse(context.host, handle, options);
    });
}

/** As a handle, which knows the size of the terminal before the program begins, where the backend has them. */
function open(runtime: Runtime, id: ContainerId, request: ExecProcessOptions, o: CallOptions): Promise<ExecHandle> {
  return runtime.extras?.openExec?.(id, request, o) ?? runtime.execPty(id, request, o);
}

/** Connects our streams until the process ends, and answers its exit code; 0 when the user detached. */
async function converse(host: CliHost, handle: ExecHandle, options: ExecFlags): Promise<number> {
  const isRaw = options.tty === true && options.interactive === true;
  using _size = options.tty ? followSize(host.stdout, (rows, cols) => handle.resize(rows, cols)) : undefined;
  const raw = isRaw ? await rawMode(host.stdin) : undefined;
  const stdin = options.interactive ? pumpStdin(host.stdin, stdinOf(handle), isRaw ? parseDetachKeys(options.detachKeys) : new Uint8Array()) : undefined;
  const output = pumpOutput(handle.output ?? bytesOf(handle), host);
  try {
    return await Promise.race([Promise.all([handle.exit, output]).then(([code]) => code), ...(stdin ? [detached(stdin.done)] : [])]);
  } finally {
    raw?.[Symbol.dispose]();
    stdin?.stop();
    handle.stream.destroy();
  }
}

function stdinOf({ stream }: ExecHandle): { write(bytes: Uint8Array): Promise<void>; end(): void } {
  return { write: (bytes) => writeAll(stream, bytes), end: () => void stream.end() };
}

async function* bytesOf({ stream }: ExecHandle): AsyncGenerator<Output> {
  for await (const bytes of stream) yield { channel: "stdout", bytes };
}

function detached(done: Promise<"ended" | "detached" | "stopped">): Promise<number> {
  return new Promise((resolve) => {
    void done.then((how) => {
      if (how === "detached") resolve(0);
    });
  });
}
