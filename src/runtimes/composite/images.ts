/** Image calls over several backends: pulls go to all, answers of all are merged. */
import { isBerthError } from "../../errors.ts";
import { guardedStream } from "../../runtime/guarded-stream.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type * as t from "../../runtime/types.ts";
import type { Children, CompositeChild } from "./children.ts";

/** Only an image for another platform lets a child be passed over; when it is so for all, the primary's error is the answer. */
function isForeign(error: unknown): boolean {
  return isBerthError(error, "wrong_platform") || isBerthError(error, "route_to_peer");
}

export async function pullEverywhere(children: Children, o: t.CallOptions | undefined, pull: (runtime: Runtime) => Promise<void>): Promise<void> {
  const foreign: unknown[] = [];
  for (const { runtime } of children.all) {
    o?.signal?.throwIfAborted();
    try {
      await pull(runtime);
    } catch (error) {
      if (!isForeign(error)) throw error;
      foreign.push(error);
    }
  }
  if (foreign.length === children.all.length) throw foreign[0];
}

/** The children's progress one after the other and one `done`, the first child's, at the end. */
export async function pullStreamEverywhere(
  children: Children,
  o: t.CallOptions | undefined,
  pull: (runtime: Runtime) => Promise<AsyncIterable<t.PullProgress>>,
): Promise<AsyncIterable<t.PullProgress>> {
  const first = await pull(children.primary.runtime);
  return guardedStream(() => progressOf(children.all, first, pull), o?.signal);
}

async function* progressOf(
  all: readonly CompositeChild[],
  first: AsyncIterable<t.PullProgress>,
  pull: (runtime: Runtime) => Promise<AsyncIterable<t.PullProgress>>,
): AsyncGenerator<t.PullProgress> {
  let done: t.PullProgress | undefined;
  let foreign: unknown;
  for (const [index, { runtime }] of all.entries()) {
    try {
      for await (const progress of index === 0 ? first : await pull(runtime)) {
        if (progress.kind === "done") done ??= progress;
        else yield progress;
      }
    } catch (error) {
      if (!isForeign(error)) throw error;
      foreign ??= error;
    }
  }
  if (done === undefined) throw foreign;
  yield done;
}

/** What several children have under the same reference with the same digest is one image. Sorted by reference. */
export function mergedImages(lists: readonly (readonly t.ImageInfo[])[]): readonly t.ImageInfo[] {
  const seen = new Map<string, t.ImageInfo>();
  for (const image of lists.flat()) {
    const key = `${image.reference} ${image.digest ?? image.id ?? ""}`;
    if (!seen.has(key)) seen.set(key, image);
  }
  return [...seen.values()].sort((a, b) => (a.reference < b.reference ? -1 : 1));
}

/**
 * Removes or names an image on all that have it, so that a name means the same on every child. `not_found` only when none has;
 * another error after all were tried.
 */
export async function onAllThatHaveIt(children: Children, change: (runtime: Runtime) => Promise<void>): Promise<void> {
  const settled = await Promise.allSettled(children.all.map(({ runtime }) => change(runtime)));
  const failures = settled.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
  const serious = failures.find((error) => !isBerthError(error, "not_found") && !isBerthError(error, "unsupported"));
  if (serious !== undefined) throw serious;
  if (failures.length === settled.length) throw failures.find((error) => isBerthError(error, "not_found")) ?? failures[0];
}
