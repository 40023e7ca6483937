/** Method 42. */
import type { ContainerTop } from "../../docker-api/containers.ts";
import { EngineError } from "../../docker-api/engine-error.ts";
import { BerthError } from "../../errors.ts";
import type { ContainerTopOutput } from "../../runtime/types.ts";
import { type ContainerId, containerIdToString } from "../../spec/container-id.ts";
import type { DockerContext } from "./context.ts";
import { isNotRunning } from "./lifecycle.ts";
import { items, texts } from "./read.ts";

/** The engine splits its text at spaces and runs `ps` on its own host. */
export async function topContainer(
  ctx: DockerContext,
  id: ContainerId,
  psArgs: readonly string[],
  signal: AbortSignal | undefined,
): Promise<ContainerTopOutput> {
  const renamed = psArgs.find((argument) => /[a-z]+=/i.test(argument));
  if (renamed !== undefined) throw new BerthError("invalid_spec", `ps argument ${JSON.stringify(renamed)}: a renamed column is refused`);
  return await ctx.ids.use(id, signal, async ({ engineId }) => {
    try {
      const query = psArgs.length === 0 ? {} : { ps_args: psArgs.join(" ") };
      const found = await ctx.client.object<ContainerTop>("GET", `/containers/${engineId}/top`, { query, signal });
      return { titles: texts(found.Titles), processes: items(found.Processes).map(texts) };
    } catch (thrown) {
      throw topFailure(id, thrown);
    }
  });
}

function topFailure(id: ContainerId, thrown: unknown): unknown {
  if (!(thrown instanceof EngineError)) return thrown;
  const container = containerIdToString(id);
  if (isNotRunning(thrown) || /is restarting/i.test(thrown.engineMessage))
    return new BerthError("conflict", `container ${container} is not running`, { container, cause: thrown });
  if (/PID|ps:|ps exited|exit status|running ps/i.test(thrown.engineMessage))
    return new BerthError("invalid_spec", `ps: ${thrown.engineMessage}`, { cause: thrown });
  return thrown;
}
