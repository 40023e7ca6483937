/** Method 37. */
import type { IdAnswer } from "../../docker-api/containers.ts";
import { BerthError } from "../../errors.ts";
import type { CommitOptions, CommitOutcome } from "../../runtime/types.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { DockerContext } from "./context.ts";
import { imageDigest } from "./image-names.ts";
import { emptiedOwnLabels } from "./labels.ts";
import { inspectEngine } from "./lifecycle.ts";
import { changeLines, checkTarget } from "./new-image.ts";
import { text } from "./read.ts";

/** A commit takes as long as its content. */
const noTimeout = 0;

export async function commitContainer(ctx: DockerContext, id: ContainerId, o: CommitOptions): Promise<CommitOutcome> {
  checkTarget(o.repo, o.tag);
  const changes = changeLines(o.changes);
  return await ctx.ids.use(id, undefined, async ({ engineId }) => {
    const { Config: config } = await inspectEngine(ctx, engineId);
    const query = {
      container: engineId,
      repo: o.repo,
      tag: o.repo === undefined ? undefined : (o.tag ?? "latest"),
      comment: o.comment,
      author: o.author,
      pause: o.pause ?? true,
      changes,
    };
    // An engine adds to these what else the container has: a label can be emptied here, not left out.
    const json = { Labels: emptiedOwnLabels(config?.Labels) };
    const committed = await ctx.client.object<IdAnswer>("POST", "/commit", { query, json, timeoutMs: noTimeout });
    const image = text(committed.Id);
    if (image === undefined) throw new BerthError("internal", "the engine committed a container and named no image");
    return { id: imageDigest(image) };
  });
}
