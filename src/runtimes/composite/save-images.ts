/** One archive out of those of several backends. */
import type { Runtime } from "../../runtime/runtime.ts";
import type * as t from "../../runtime/types.ts";
import type { Children } from "./children.ts";
import { mergeArchives } from "./merge-archives.ts";

/** From the first child that has each name; a name nobody has is `not_found` before a byte is given. */
export async function saveFromAll(children: Children, names: readonly string[], o?: t.CallOptions): Promise<t.ByteStream> {
  const byRuntime = new Map<Runtime, string[]>();
  for (const name of names) {
    const holder = await children.first(async (runtime) => {
      await runtime.inspectImageNative(name, o);
      return runtime;
    });
    byRuntime.set(holder, [...(byRuntime.get(holder) ?? []), name]);
  }
  const [only, ...others] = byRuntime;
  if (only === undefined) return await children.primary.runtime.saveImages(names, o);
  if (others.length === 0) return await only[0].saveImages(names, o);
  const archives: t.ByteStream[] = [];
  for (const [runtime, its] of byRuntime) archives.push(await runtime.saveImages(its, o));
  return mergeArchives(archives);
}
