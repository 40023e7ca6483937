/** Method 46: everything on the engine, with foreign containers. */
import type { ContainerSummary } from "../../docker-api/containers.ts";
import type { RuntimeContainerSummary } from "../../runtime/types.ts";
import type { DockerContext } from "./context.ts";
import { isNoSuchContainer } from "./engine-ids.ts";
import { summaryOf } from "./inspect.ts";
import { inspectEngine } from "./lifecycle.ts";
import { stateFromInspect } from "./state.ts";

const inspectedAtOnce = 8;

export async function listContainers(ctx: DockerContext, signal: AbortSignal | undefined): Promise<readonly RuntimeContainerSummary[]> {
  const found = await ctx.client.list<ContainerSummary>("GET", "/containers/json", { query: { all: 1 }, signal });
  const summaries = found.map(summaryOf);
  const complete: RuntimeContainerSummary[] = [];
  for (let from = 0; from < summaries.length; from += inspectedAtOnce) {
    const some = await Promise.all(summaries.slice(from, from + inspectedAtOnce).map((one) => withState(ctx, one, signal)));
    complete.push(...some.filter((one) => one !== undefined));
  }
  return complete;
}

/** The list does not say whether a container that never ran has failed to start. `undefined` = it is gone meanwhile. */
async function withState(
  ctx: DockerContext,
  { engineId, ...summary }: ReturnType<typeof summaryOf>,
  signal: AbortSignal | undefined,
): Promise<RuntimeContainerSummary | undefined> {
  if (summary.state !== undefined) return summary;
  if (summary.containerId === undefined) return { ...summary, state: { state: "pending" } };
  try {
    return { ...summary, state: stateFromInspect((await inspectEngine(ctx, engineId, signal)).State) };
  } catch (thrown) {
    if (isNoSuchContainer(thrown)) return undefined;
    throw thrown;
  }
}
