/** Methods 47 to 49: files of a container, passed through at the reader's pace. */
import { EngineError } from "../../docker-api/engine-error.ts";
import { decodePathStat, pathStatHeader } from "../../docker-api/path-stat.ts";
import { pathPart } from "../../docker-api/query.ts";
import { BerthError } from "../../errors.ts";
import type { ArchivePutOptions, ByteSource, ByteStream, PathStat } from "../../runtime/types.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { DockerContext } from "./context.ts";
import { inspectEngine } from "./lifecycle.ts";

/** Uploads take as long as their content. */
const noTimeout = 0;

export async function archiveGet(ctx: DockerContext, id: ContainerId, path: string, signal: AbortSignal | undefined): Promise<ByteStream> {
  return await aboutPath(ctx, id, path, signal, async (url) => (await ctx.client.stream("GET", url, { query: { path }, signal })).body);
}

export async function archiveHead(ctx: DockerContext, id: ContainerId, path: string, signal: AbortSignal | undefined): Promise<PathStat> {
  return await aboutPath(ctx, id, path, signal, async (url) => {
    const headers = await ctx.client.head(url, { query: { path }, signal }).catch(async (thrown: unknown) => {
      throw await withWords(ctx, url, path, signal, thrown);
    });
    return decodePathStat(headers[pathStatHeader]);
  });
}

/** An answer to HEAD has no text: what is wrong, the same request by GET tells. */
async function withWords(ctx: DockerContext, url: string, path: string, signal: AbortSignal | undefined, thrown: unknown): Promise<unknown> {
  if (!(thrown instanceof EngineError) || thrown.status < 500) return thrown;
  try {
    (await ctx.client.stream("GET", url, { query: { path }, signal })).body.close();
    return thrown;
  } catch (told) {
    return told;
  }
}

export async function archivePut(ctx: DockerContext, id: ContainerId, path: string, tar: ByteSource, o: ArchivePutOptions): Promise<void> {
  await aboutPath(ctx, id, path, undefined, async (url) => {
    const query = { path, noOverwriteDirNonDir: o.noOverwriteDirNonDir === true, copyUIDGID: o.copyUidGid === true };
    await ctx.client.done("PUT", url, { query, upload: tar, timeoutMs: noTimeout });
  });
}

async function aboutPath<T>(ctx: DockerContext, id: ContainerId, path: string, signal: AbortSignal | undefined, call: (url: string) => Promise<T>): Promise<T> {
  checkPath(path);
  return await ctx.ids.use(id, signal, async ({ engineId }) => {
    try {
      return await call(`/containers/${pathPart(engineId)}/archive`);
    } catch (thrown) {
      // An answer to HEAD has no text: which of container and path is missing, another call tells.
      if (thrown instanceof EngineError && thrown.status === 404) await inspectEngine(ctx, engineId, signal);
      throw pathFailure(path, thrown);
    }
  });
}

function checkPath(path: string): void {
  if (path === "") throw new BerthError("invalid_spec", "the path is empty; name a path inside the container");
  if (path.includes("\0")) throw new BerthError("invalid_spec", "the path holds a NUL byte");
}

const badTarget = /read-only|cannot overwrite|extraction point|processing tar file|unexpected EOF|invalid tar|archive\/tar|outside of/i;

function pathFailure(path: string, thrown: unknown): unknown {
  if (!(thrown instanceof EngineError)) return thrown;
  const { status, engineMessage } = thrown;
  if (status === 403 || (status >= 500 && badTarget.test(engineMessage)))
    return new BerthError("invalid_spec", `${path}: ${engineMessage}`, { id: path, cause: thrown });
  const isMissing = status === 404 && !/no such container/i.test(engineMessage);
  if (isMissing || (status !== 404 && /not a directory|too many links/i.test(engineMessage)))
    return new BerthError("not_found", `no path ${path} in the container`, { id: path, cause: thrown });
  return thrown;
}
