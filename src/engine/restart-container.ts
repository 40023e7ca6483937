import type { RuntimeExtras } from "../runtime/extras.ts";
import type { LifecycleFacet } from "../runtime/runtime.ts";
import type { CallOptions } from "../runtime/types.ts";
import type { ContainerId } from "../spec/container-id.ts";

export interface RestartOptions extends CallOptions {
  /** As for `stopContainer`. */
  readonly timeoutMs?: number | undefined;
  readonly stopSignal?: string | undefined;
}

/** Stops it if it runs, and starts it: Docker's restart. Told as one where the backend can. */
export async function restartContainer(
  runtime: Pick<LifecycleFacet, "stopContainer" | "startContainer"> & { readonly extras?: RuntimeExtras | undefined },
  id: ContainerId,
  o: RestartOptions = {},
): Promise<void> {
  const { extras } = runtime;
  if (extras?.restartContainer !== undefined) return await extras.restartContainer(id, o);
  await runtime.stopContainer(id, o.timeoutMs, { signal: o.signal, stopSignal: o.stopSignal });
  await runtime.startContainer(id, { signal: o.signal });
}
