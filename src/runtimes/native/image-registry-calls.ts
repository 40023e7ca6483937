/** Method 32, and the extras `pushImage` and `resolveImage`. */
import { BerthError } from "../../errors.ts";
import type { ResolvedImage } from "../../runtime/extras.ts";
import { guardedStream } from "../../runtime/guarded-stream.ts";
import type { CallOptions, ImageSearchResult, PullProgress, RegistryAuth } from "../../runtime/types.ts";
import { fromOciPlatform } from "../../spec/platform.ts";
import { canonicalReference, parseReference } from "../../spec/reference.ts";
import type { NativeContext } from "./context.ts";
import { progressStream } from "./progress-stream.ts";

export function searchImages(
  ctx: NativeContext,
  term: string,
  limit: number,
  o: CallOptions & { readonly isOfficial?: boolean | undefined; readonly minStars?: number | undefined },
): Promise<readonly ImageSearchResult[]> {
  return ctx.images.search(term, { limit, ...o });
}

/** The image must be here under the very name it is pushed to. */
export function pushImage(ctx: NativeContext, image: string, auth: RegistryAuth | undefined, o: CallOptions): AsyncIterable<PullProgress> {
  const reference = parseReference(image);
  if (reference.digest !== undefined) throw new BerthError("invalid_spec", `${image} names a digest; push a tag`);
  o.signal?.throwIfAborted();
  ctx.images.mustFind(canonicalReference(reference));
  return guardedStream(
    (stop) =>
      progressStream<PullProgress, string>(
        (say) => ctx.images.push(reference, { auth, say, signal: stop }),
        (digest) => ({ kind: "done", reference: canonicalReference(reference), digest }),
      ),
    o.signal,
  );
}

export async function resolveImage(ctx: NativeContext, image: string, auth: RegistryAuth | undefined, o: CallOptions): Promise<ResolvedImage> {
  const { descriptor, platforms } = await ctx.images.resolve(parseReference(image), { auth, signal: o.signal });
  return { descriptor, platforms: platforms.map(fromOciPlatform) };
}
