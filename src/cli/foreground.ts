/** A container in the foreground: its output is ours, our signals and keys are its own, its exit code becomes ours. */
import { BerthError, isBerthError } from "../errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { AttachHandle, WaitOutcome } from "../runtime/types.ts";
import type { ContainerId } from "../spec/container-id.ts";
import type { CliContext } from "./context.ts";
import { brokenPipeCode, CliError, isBrokenPipe } from "./failure.ts";
import type { CliHost, CliInput } from "./host.ts";
import { signalNumber } from "./interruption.ts";
import { pumpOutput, pumpStdin } from "./terminal/pump.ts";
import { followSize, rawMode } from "./terminal/raw-mode.ts";

export interface ForegroundOptions {
  readonly id: ContainerId;
  /** How to call it in messages. */
  readonly name: string;
  readonly tty: boolean;
  /** Copy stdin to the container. */
  readonly stdin: boolean;
  readonly forwardSignals: boolean;
  readonly detachKeys: Uint8Array;
  /** Start it once everything is connected; else it runs already. */
  readonly start: boolean;
  /** Kill it when whoever reads our output goes away, as SIGPIPE would kill a program run without a container. */
  readonly endWithReader: boolean;
}

/** How a foreground container left us. */
export type ForegroundEnd =
  | { readonly kind: "exited"; readonly exitCode: number }
  | { readonly kind: "detached" }
  | { readonly kind: "left"; readonly exitCode: number };

/** Refuses `-it` without a terminal, as Docker does, before anything happened. */
export function checkTerminal(input: () => CliInput, o: { readonly tty?: boolean | undefined; readonly interactive?: boolean | undefined }): void {
  if (o.tty && o.interactive && !input().isTTY) {
    throw new CliError("the input device is not a TTY; leave out -t when stdin is a pipe or a file");
  }
}

/** Connects, starts if asked to, and stays until the container exits, the user detaches, or insists on leaving. */
export async function runInForeground(context: CliContext, runtime: Runtime, o: ForegroundOptions): Promise<ForegroundEnd> {
  const { host } = context;
  using handle = await attach(runtime, o, context.interruption().signal);
  const stopWaiting = new AbortController();
  const exit = runtime.waitOutcomeWithCondition(o.id, o.start ? "next-exit" : "not-running", { signal: stopWaiting.signal });
  exit.catch(() => {});
  const output = pumpOutput(handle.output, host);
  output.catch(() => {});
  const isRaw = o.tty && o.stdin && host.stdin.isTTY === true;
  const raw = isRaw ? await rawMode(host.stdin) : undefined;
  try {
    using _size = o.tty ? followSize(host.stdout, (rows, cols) => handle.resize(rows, cols)) : undefined;
    // The program may speak before its start has come back to us: signals are its own from here on.
    context.endInterruption();
    const started = Promise.withResolvers<void>();
    started.promise.catch(() => {});
    const stayOptions: StayOptions = { ...o, isRaw, started: started.promise, giveBack: () => raw?.[Symbol.dispose]() };
    using signals = forwardSignals(host, runtime, stayOptions);
    try {
      if (o.start) await runtime.startContainer(o.id);
      started.resolve();
    } catch (error) {
      started.reject(error);
      throw error;
    }
    return await stay(host, runtime, stayOptions, { handle, exit, output, left: signals.left });
  } finally {
    raw?.[Symbol.dispose]();
    stopWaiting.abort();
  }
}

async function attach(runtime: Runtime, o: ForegroundOptions, signal: AbortSignal): Promise<AttachHandle> {
  const attachContainer = runtime.extras?.attachContainer;
  if (attachContainer === undefined) {
    throw new BerthError("unsupported", `the ${runtime.backend} backend cannot connect to a container; use -d and "berth logs -f"`);
  }
  return attachContainer.call(runtime.extras, o.id, { stdin: o.stdin, signal });
}

interface StayOptions extends ForegroundOptions {
  /** Signals wait for it: before, there is no process to send them to. */
  readonly started: Promise<void>;
  /** Our terminal is in raw mode: its keys are bytes, and detach keys count. */
  readonly isRaw: boolean;
  /** Takes our terminal out of raw mode; must come before stdin is closed. */
  giveBack(): void;
}

interface Connection {
  readonly handle: AttachHandle;
  readonly exit: Promise<WaitOutcome>;
  readonly output: Promise<void>;
  /** The user insisted on leaving. */
  readonly left: Promise<ForegroundEnd>;
}

async function stay(host: CliHost, runtime: Runtime, o: StayOptions, connection: Connection): Promise<ForegroundEnd> {
  const stdin = o.stdin ? copyStdin(host.stdin, connection.handle, o.isRaw ? o.detachKeys : new Uint8Array()) : undefined;
  try {
    return await Promise.race([
      ended(connection),
      connection.left,
      readerGone(connection.output).then(() => afterReader(runtime, o)),
      ...(stdin ? [detachment(stdin.done)] : []),
    ]);
  } finally {
    o.giveBack();
    stdin?.stop();
  }
}

function copyStdin(input: CliInput, handle: AttachHandle, detachKeys: Uint8Array): ReturnType<typeof pumpStdin> {
  return pumpStdin(input, { write: (bytes) => handle.write(bytes), end: () => handle.endStdin() }, detachKeys);
}

/** After the exit the rest of the output is awaited: a program's last words matter most. */
async function ended({ exit, output }: Connection): Promise<ForegroundEnd> {
  const outcome = await exit;
  try {
    await output;
  } catch (error) {
    if (isBrokenPipe(error)) return { kind: "left", exitCode: brokenPipeCode };
    throw error;
  }
  return { kind: "exited", exitCode: outcome.exitCode };
}

/** Resolves only when the reader of our output went away. */
function readerGone(output: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    output.catch((error: unknown) => (isBrokenPipe(error) ? resolve() : reject(error)));
  });
}

async function afterReader(runtime: Runtime, o: ForegroundOptions): Promise<ForegroundEnd> {
  if (o.endWithReader) await ignoringStopped(runtime.killContainer(o.id, "SIGKILL"));
  return { kind: "left", exitCode: brokenPipeCode };
}

function detachment(done: Promise<"ended" | "detached" | "stopped">): Promise<ForegroundEnd> {
  return new Promise((resolve) => {
    void done.then((how) => {
      if (how === "detached") resolve({ kind: "detached" });
    });
  });
}

const forwarded: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"];
const insistence = 3;

/**
 * Passes our signals on to the container's main process. Its end is its own decision; but who sends SIGINT or SIGTERM three
 * times wants out and gets out, and so does a terminal that hangs up: both leave the container running.
 */
function forwardSignals(host: CliHost, runtime: Runtime, o: StayOptions): Disposable & { readonly left: Promise<ForegroundEnd> } {
  const left = Promise.withResolvers<ForegroundEnd>();
  let insisted = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    const leave = (): void => left.resolve({ kind: "left", exitCode: 128 + signalNumber(signal) });
    if (!o.forwardSignals || (o.isRaw && signal === "SIGHUP")) return leave();
    if ((signal === "SIGINT" || signal === "SIGTERM") && ++insisted === insistence) {
      host.stderr.write(`berth: got ${insistence} signals; leaving ${o.name} running, "berth kill ${o.name}" ends it\n`);
      return leave();
    }
    const sent = o.started.then(
      () => ignoringStopped(runtime.killContainer(o.id, signal, { anySignal: true })),
      () => {},
    );
    sent.catch((error: unknown) => left.reject(error));
  };
  const registered = forwarded.map((signal) => host.onSignal(signal, onSignal));
  return {
    left: left.promise,
    [Symbol.dispose]: () => {
      for (const one of registered) one[Symbol.dispose]();
    },
  };
}

/** A container that exited or is gone meanwhile is as good as killed. */
async function ignoringStopped(killing: Promise<void>): Promise<void> {
  try {
    await killing;
  } catch (error) {
    if (!isBerthError(error, "conflict") && !isBerthError(error, "not_found")) throw error;
  }
}

/** Removes a container that may be removing itself at the same moment; resolves when it is gone. */
export async function removeOwn(runtime: Runtime, id: ContainerId): Promise<void> {
  try {
    await runtime.removeContainer(id);
  } catch (error) {
    if (isBerthError(error, "not_found")) return;
    if (!isBerthError(error, "conflict")) throw error;
    await runtime.waitOutcomeWithCondition(id, "removed").catch((late: unknown) => {
      if (!isBerthError(late, "not_found")) throw late;
    });
  }
}
