/** Method 14. */
import type { ContainerInspect } from "../../docker-api/container-inspect.ts";
import type { Received } from "../../docker-api/received.ts";
import { isBerthError } from "../../errors.ts";
import type { DockerContext } from "./context.ts";
import { isRunning, networksOf } from "./inspect.ts";
import { stampOf } from "./labels.ts";
import { inspectEngine } from "./lifecycle.ts";
import { text } from "./read.ts";

/** Containers that share another's network have its address; a chain of them has an end. */
export async function containerIp(ctx: DockerContext, found: Received<ContainerInspect>, signal: AbortSignal | undefined): Promise<string | undefined> {
  let current = found;
  for (let step = 0; step < 10; step++) {
    const mode = text(current.HostConfig?.NetworkMode) ?? "default";
    if (mode === "host") return "127.0.0.1";
    const other = /^container:(.+)$/s.exec(mode)?.[1];
    if (other === undefined) break;
    try {
      current = await inspectEngine(ctx, other, signal);
    } catch (thrown) {
      if (isBerthError(thrown, "not_found")) return undefined;
      throw thrown;
    }
  }
  if (!isRunning(current)) return undefined;
  const networks = networksOf(current, stampOf(current.Config?.Labels).spec);
  return networks.find((one) => one.ipv4 !== undefined)?.ipv4 ?? networks.find((one) => one.ipv6 !== undefined)?.ipv6;
}
