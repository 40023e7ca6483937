import { BerthError } from "../../errors.ts";
import { parseContainerId } from "../../spec/container-id.ts";
import { EngineError } from "../../docker-api/engine-error.ts";
import type { ContainerInspect } from "../../docker-api/container-inspect.ts";
import { pathPart } from "../../docker-api/query.ts";
import type { DockerContext } from "./context.ts";
import { text } from "./read.ts";

/** The engine's id of a container named by hex id, unique prefix, name or the string form of our id. Throws `not_found`. */
export async function engineRef(ctx: DockerContext, name: string): Promise<string> {
  const id = parseContainerId(name);
  const ours = id === undefined ? undefined : await ctx.ids.find(id);
  if (ours !== undefined) return ours.engineId;
  try {
    const found = await ctx.client.object<ContainerInspect>("GET", `/containers/${pathPart(name)}/json`);
    return text(found.Id) ?? name;
  } catch (thrown) {
    if (thrown instanceof EngineError && thrown.status === 404)
      throw new BerthError("not_found", `no container ${name} on this engine`, { container: name, cause: thrown });
    throw thrown;
  }
}
