/** `extras.openExec` in a simulated container: a single process stands for the tree. */
import { BerthError } from "../../errors.ts";
import { assertSignal } from "../../runtime/derive.ts";
import type { ExecEnd, ExecProcess, ExecProcessOptions } from "../../runtime/extras.ts";
import { signalName } from "../../spec/signals.ts";
import type { Container } from "./container.ts";
import { interactive, startExec } from "./exec.ts";
import type { World } from "./world.ts";

export function openExec(world: World, container: Container, o: ExecProcessOptions, signal: AbortSignal | undefined): ExecProcess {
  const { timeoutMs } = o;
  if (timeoutMs !== undefined && !(timeoutMs > 0)) throw new BerthError("invalid_spec", `timeoutMs is ${timeoutMs}; it must be more than 0`);
  const { run } = container;
  const started = startExec(world, container, o, "keep");
  const { process } = started;
  let cause: "timed_out" | "aborted" | undefined;
  const endFor = (reason: "timed_out" | "aborted"): void => {
    cause ??= reason;
    process.signal(9);
  };
  const onAbort = (): void => endFor("aborted");
  const timer = timeoutMs === undefined ? undefined : world.clock.after(timeoutMs, () => endFor("timed_out"));
  signal?.addEventListener("abort", onAbort, { once: true });
  const end = Promise.all([process.exited, started.exit]).then(([exit]): ExecEnd => {
    timer?.[Symbol.dispose]();
    signal?.removeEventListener("abort", onAbort);
    if (exit.signal === 9 && container.run !== run) return { kind: "container_gone" };
    if (exit.signal === 9 && cause !== undefined) return { kind: cause };
    return exit.signal === null ? { kind: "exited", code: exit.code } : { kind: "signalled", code: exit.code, signal: signalName(exit.signal) };
  });
  const handle = interactive(started, o);
  const kill = async (name = "SIGKILL"): Promise<void> => process.signal(assertSignal(name, { anySignal: true }).number);
  return {
    ...handle,
    pid: world.nextPid(),
    kill,
    end,
    async [Symbol.asyncDispose]() {
      handle.stream.destroy();
      await kill();
      await end;
    },
  };
}
