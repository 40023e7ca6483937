/** Methods 26, 27, 29 and 31 on the image store. */
import { BerthError } from "../../errors.ts";
import { assertTagTarget } from "../../spec/reference.ts";
import type { ImageHistoryEntry, PruneResult } from "../../runtime/types.ts";
import type { NativeContext } from "./context.ts";

export async function removeImage(ctx: NativeContext, image: string, force: boolean): Promise<void> {
  await ctx.images.remove(image, force);
}

export async function pruneImages(
  ctx: NativeContext,
  o: { readonly all?: boolean | undefined; readonly until?: Date | undefined; readonly labels?: readonly string[] | undefined },
): Promise<PruneResult> {
  if (o.until !== undefined && Number.isNaN(o.until.getTime())) throw new BerthError("invalid_spec", "until is not a date");
  const { removed, freedBytes } = await ctx.images.prune(o);
  return { deleted: removed.flatMap(({ untagged, deleted }) => [...untagged, ...(deleted === undefined ? [] : [deleted.id])]), spaceReclaimed: freedBytes };
}

export function tagImage(ctx: NativeContext, source: string, target: string): void {
  ctx.images.tag(source, assertTagTarget(target));
}

/** Newest first. Only the newest row is an image that can be named; Docker writes `<missing>` for the others. */
export function imageHistory(ctx: NativeContext, name: string): ImageHistoryEntry[] {
  const image = ctx.images.mustFind(name);
  const sizes = [...ctx.images.layerSizes(image)];
  const { history, created } = image.config;
  const rows = history.length > 0 ? history : sizes.map(() => ({ created }));
  const entries = rows.map((row) => ({
    id: "<missing>",
    created: unixSeconds(row.created),
    createdBy: ("createdBy" in row ? row.createdBy : undefined) ?? "",
    tags: [],
    size: "emptyLayer" in row && row.emptyLayer === true ? 0 : (sizes.shift() ?? 0),
    comment: ("comment" in row ? row.comment : undefined) ?? "",
  }));
  const [newest, ...older] = entries.reverse();
  return newest === undefined ? [] : [{ ...newest, id: image.id, tags: image.names }, ...older];
}

function unixSeconds(time: string | undefined): number {
  const milliseconds = Date.parse(time ?? "");
  return Number.isNaN(milliseconds) ? 0 : Math.floor(milliseconds / 1000);
}
