/** Methods 33 and 34. */
import { BerthError } from "../../errors.ts";
import { guardedStream } from "../../runtime/guarded-stream.ts";
import type { ByteSource, ByteStream, LoadProgress } from "../../runtime/types.ts";
import type { NativeContext } from "./context.ts";
import { progressStream } from "./progress-stream.ts";

/** Everything that can be wrong with the names is found before the stream begins. */
export function saveImages(ctx: NativeContext, names: readonly string[], signal: AbortSignal | undefined): ByteStream {
  if (names.length === 0) throw new BerthError("invalid_spec", "no image to save; name at least one");
  const saved = ctx.images.toSave(names);
  return guardedStream((stop) => ctx.images.save(saved, stop), signal);
}

export function loadImages(ctx: NativeContext, tar: ByteSource, quiet: boolean, signal: AbortSignal | undefined): AsyncIterable<LoadProgress> {
  return guardedStream(
    (stop) =>
      progressStream<LoadProgress, readonly string[]>(
        (say) => ctx.images.load(tar, { signal: stop, onStatus: (status) => !quiet && say({ kind: "status", ...status }) }),
        (references) => ({ kind: "done", references }),
      ),
    signal,
  );
}
