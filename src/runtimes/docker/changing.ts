import { abandonable } from "../../internal/abort.ts";
import type { CallOptions } from "../../runtime/types.ts";

/** An abort frees the caller; what was begun goes on to a consistent end. */
export async function changing<T>(o: CallOptions | undefined, work: () => Promise<T>): Promise<T> {
  o?.signal?.throwIfAborted();
  return await abandonable(work(), o?.signal);
}
