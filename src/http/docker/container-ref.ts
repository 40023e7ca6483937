import type { FoundContainer } from "../../engine/container-lookup.ts";
import { isBerthError } from "../../errors.ts";
import type { Call } from "../call.ts";
import { HttpError } from "../status.ts";
import type { DockerEngine } from "./engine.ts";

/**
 * Does `work` with the container named in the path. A container that is gone by then is told in Docker's words, which
 * clients look for.
 */
export async function withContainer<T>(engine: Pick<DockerEngine, "containers">, ref: string, work: (found: FoundContainer) => Promise<T>): Promise<T> {
  const found = await engine.containers.find(ref);
  try {
    return await work(found);
  } catch (error) {
    if (isBerthError(error, "not_found") && error.fields.container !== undefined) throw noSuchContainer(ref, error);
    throw error;
  }
}

export function noSuchContainer(ref: string, cause?: unknown): HttpError {
  return new HttpError(404, `No such container: ${ref}`, { cause });
}

/** The `:id` of the path. */
export function refOf(call: Call): string {
  return call.param("id");
}
