/** Method 42. */
import type { ContainerTop } from "../../docker-api/containers.ts";
import { EngineError } from "../../docker-api/engine-error.ts";
import { BerthError } from "../../errors.ts";
import type { ContainerTopOutput } from "../../runtime/types.ts";
import { type ContainerId, containerIdToString } from "../../spec/container-id.ts";
import type { DockerContext } from "./context.ts";
import { isRunning } from "./inspect.ts";
import { inspectEngine, isNotRunning } from "./lifecycle.ts";
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
    // Podman has begun its answer before it looks.
    if (ctx.facts.isPodman && !isRunning(await inspectEngine(ctx, engineId, signal))) throw notRunning(id);
    try {
      const query = psArgs.length === 0 ? {} : { ps_args: psArgs.join(" ") };
      const found = await ctx.client.object<ContainerTop>("GET", `/containers/${engineId}/top`, { query, signal });
      return inColumns({ titles: texts(found.Titles), processes: items(found.Processes).map(texts) });
    } catch (thrown) {
      throw topFailure(id, thrown);
    }
  });
}

/** Podman hands on the lines of a `ps` in the container as they are. */
function inColumns({ titles, processes }: ContainerTopOutput): ContainerTopOutput {
  const [only = ""] = titles;
  if (titles.length !== 1 || !/\s/.test(only.trim())) return { titles, processes };
  const names = only.trim().split(/\s+/);
  const cut = (line: string): readonly string[] => {
    const words = line.trim().split(/\s+/);
    return [...words.slice(0, names.length - 1), words.slice(names.length - 1).join(" ")];
  };
  return { titles: names, processes: processes.map(([line = ""]) => cut(line)) };
}

function notRunning(id: ContainerId, cause?: unknown): BerthError {
  const container = containerIdToString(id);
  return new BerthError("conflict", `container ${container} is not running`, { container, cause });
}

function topFailure(id: ContainerId, thrown: unknown): unknown {
  if (!(thrown instanceof EngineError)) return thrown;
  if (isNotRunning(thrown) || /is restarting/i.test(thrown.engineMessage)) return notRunning(id, thrown);
  if (/PID|ps:|ps exited|exit status|running ps/i.test(thrown.engineMessage))
    return new BerthError("invalid_spec", `ps: ${thrown.engineMessage}`, { cause: thrown });
  return thrown;
}
