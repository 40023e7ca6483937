/** A further process as a handle: it can be killed with all it started, and says how it ended. */
import { BerthError, messageOf } from "../../errors.ts";
import { onAbort } from "../../internal/abort.ts";
import { assertSignal } from "../../runtime/derive.ts";
import type { ExecEnd, ExecProcess } from "../../runtime/extras.ts";
import { signalName } from "../../spec/signals.ts";
import type { RunningExec } from "./exec-running.ts";
import type { ExecExit } from "./exec-child.ts";

/** Longer times do not fit into a timer. */
const longestMs = 2 ** 31 - 1;

export function assertTimeout(timeoutMs: number | undefined): void {
  if (timeoutMs !== undefined && !(timeoutMs > 0)) throw new BerthError("invalid_spec", `timeoutMs is ${timeoutMs}; it must be more than 0`);
}

export interface ExecProcessSetup {
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onWarning: (text: string) => void;
}

export function execProcess(running: RunningExec, o: ExecProcessSetup): ExecProcess {
  let cause: "timed_out" | "aborted" | undefined;
  let hasEnded = false;
  const endFor = (reason: "timed_out" | "aborted"): void => {
    if (hasEnded) return;
    cause ??= reason;
    running.signal(9).catch((error: unknown) => o.onWarning(messageOf(error)));
  };
  const timer = o.timeoutMs === undefined ? undefined : setTimeout(() => endFor("timed_out"), Math.min(o.timeoutMs, longestMs));
  const listening = onAbort(o.signal, () => endFor("aborted"));
  const settled = running.finished.then(
    (exit): ExecEnd => (cause !== undefined && exit.code === 137 ? { kind: cause } : endOf(exit)),
    (): ExecEnd => ({ kind: "exited", code: 128 }),
  );
  const end = settled.finally(() => {
    hasEnded = true;
    clearTimeout(timer);
    listening[Symbol.dispose]();
  });
  return {
    stream: running.stream,
    output: running.output,
    resize: running.resize,
    exit: running.exit,
    get pid() {
      return running.pid;
    },
    kill: async (signal = "SIGKILL") => running.signal(assertSignal(signal, { anySignal: true }).number),
    end,
    async [Symbol.asyncDispose]() {
      running.stream.destroy();
      await running.signal(9);
      await end;
    },
  };
}

function endOf({ code, signal, containerGone }: ExecExit): ExecEnd {
  if (containerGone) return { kind: "container_gone" };
  const number = signal === undefined ? (code > 128 && code <= 192 ? code - 128 : null) : signal;
  return number === null ? { kind: "exited", code } : { kind: "signalled", code, signal: signalName(number) };
}
