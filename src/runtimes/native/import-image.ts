/** Method 35. */
import type { ByteSource } from "../../runtime/types.ts";
import { type TargetPlatform, toOciPlatform } from "../../spec/platform.ts";
import { importTarget } from "../../spec/reference.ts";
import type { NativeContext } from "./context.ts";

export interface ImportOptions {
  readonly message?: string | undefined;
  readonly changes?: string | undefined;
  readonly platform?: TargetPlatform | undefined;
  readonly signal?: AbortSignal | undefined;
}

export async function importImage(ctx: NativeContext, tar: ByteSource, repo: string | undefined, tag: string | undefined, o: ImportOptions): Promise<string> {
  const image = await ctx.images.import(tar, {
    name: importTarget(repo, tag),
    message: o.message,
    changes: o.changes,
    platform: o.platform === undefined ? undefined : toOciPlatform(o.platform),
    signal: o.signal,
  });
  return image.id;
}
