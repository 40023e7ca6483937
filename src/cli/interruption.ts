import { constants } from "node:os";
import type { CliHost } from "./host.ts";

/** Somebody wants the command to end: the reason of {@link Interruption.signal}. */
export class InterruptedError extends Error {
  /** 128 + the signal's number. */
  readonly exitCode: number;

  constructor(signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`);
    this.name = "InterruptedError";
    this.exitCode = 128 + signalNumber(signal);
  }
}

export interface Interruption extends Disposable {
  readonly signal: AbortSignal;
}

export function signalNumber(signal: NodeJS.Signals): number {
  return constants.signals[signal];
}

const ending: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** The first signal aborts, so that work can be undone; the second ends the process at once. */
export function interruption(host: Pick<CliHost, "onSignal" | "exitNow">): Interruption {
  const controller = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted) host.exitNow(128 + signalNumber(signal));
    controller.abort(new InterruptedError(signal));
  };
  const registered = ending.map((signal) => host.onSignal(signal, onSignal));
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const one of registered) one[Symbol.dispose]();
    },
  };
}
