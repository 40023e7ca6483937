/** Methods 47 to 49: files of a container, at the reader's or the engine's pace. */
import { byteChunks, plainArchive } from "../../archive/archive-source.ts";
import { canonicalTar, type TarOwner } from "../../archive/canonical-tar.ts";
import { asArchiveError } from "../../archive/tar-header.ts";
import { TarReader } from "../../archive/tar-reader.ts";
import { EngineError } from "../../docker-api/engine-error.ts";
import { decodePathStat, pathStatHeader } from "../../docker-api/path-stat.ts";
import { pathPart } from "../../docker-api/query.ts";
import { BerthError, isBerthError } from "../../errors.ts";
import type { ArchivePutOptions, ByteSource, ByteStream, PathStat } from "../../runtime/types.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import { lookUpUser } from "../../spec/user.ts";
import type { DockerContext } from "./context.ts";
import { inspectEngine } from "./lifecycle.ts";
import { text } from "./read.ts";

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

/**
 * The engine gets the archive as it was read and checked here, with owners of our choice: of `copyUidGid` it would look for the
 * container's user among those of its host. An abort breaks the upload off; what the engine makes of a file's beginning is its affair.
 */
export async function archivePut(
  ctx: DockerContext,
  id: ContainerId,
  path: string,
  tar: ByteSource,
  o: ArchivePutOptions,
  signal: AbortSignal | undefined,
): Promise<void> {
  checkPath(path);
  // From here on by the engine's id: a stream cannot be sent twice.
  const { Id: found, Config: config } = await ctx.ids.use(id, undefined, ({ engineId }) => inspectEngine(ctx, engineId));
  const [engineId, user] = [text(found) ?? "", text(config?.User)];
  const owner = o.copyUidGid === true && user !== undefined ? await ownerOf(ctx, engineId, user) : undefined;
  // What lies here as a whole is read as a whole before anything is sent.
  if (tar instanceof Uint8Array) for await (const _ of uploaded(tar, owner));
  const query = { path, noOverwriteDirNonDir: o.noOverwriteDirNonDir === true };
  try {
    await ctx.client.done("PUT", `/containers/${engineId}/archive`, { query, upload: uploaded(tar, owner), timeoutMs: noTimeout, signal });
  } catch (thrown) {
    throw pathFailure(path, thrown);
  }
}

async function* uploaded(tar: ByteSource, owner: TarOwner | undefined): AsyncGenerator<Buffer, void, void> {
  try {
    yield* canonicalTar(plainArchive(byteChunks(tar)), { owner });
  } catch (thrown) {
    throw asArchiveError(thrown);
  }
}

async function ownerOf(ctx: DockerContext, engineId: string, user: string): Promise<TarOwner> {
  const [passwd, group] = await Promise.all([textFile(ctx, engineId, "/etc/passwd"), textFile(ctx, engineId, "/etc/group")]);
  const { uid, gid } = lookUpUser(user, [], { passwd, group });
  return { uid, gid };
}

const maxTextBytes = 16 * 1024 * 1024;

/** Empty where there is none. */
async function textFile(ctx: DockerContext, engineId: string, path: string): Promise<string> {
  const url = `/containers/${engineId}/archive`;
  try {
    const { linkTarget } = decodePathStat((await ctx.client.head(url, { query: { path } }))[pathStatHeader]);
    const { body } = await ctx.client.stream("GET", url, { query: { path: linkTarget || path } });
    const parts: Buffer[] = [];
    let size = 0;
    const reader = new TarReader({
      begin: (entry) => {
        size += entry.size;
        if (entry.type !== "file" || size > maxTextBytes) throw new BerthError("invalid_spec", `the container's ${path} is not a readable file`);
      },
      data: (chunk) => void parts.push(Buffer.from(chunk)),
      end: () => {},
    });
    for await (const chunk of byteChunks(body)) reader.write(chunk);
    reader.finish();
    return Buffer.concat(parts).toString();
  } catch (thrown) {
    if (isBerthError(thrown, "not_found")) return "";
    throw thrown;
  }
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
  // Podman's words for what an archive cannot be put over.
  const cannotPut = /copier: put|error during bulk transfer/.test(engineMessage) && !/no space left/.test(engineMessage);
  if (status === 403 || (status >= 500 && (cannotPut || badTarget.test(engineMessage))))
    return new BerthError("invalid_spec", `${path}: ${engineMessage}`, { id: path, cause: thrown });
  const isMissing = status === 404 && !/no such container/i.test(engineMessage);
  if (isMissing || (status !== 404 && status !== 400 && /not a directory|too many links/i.test(engineMessage)))
    return new BerthError("not_found", `no path ${path} in the container`, { id: path, cause: thrown });
  return thrown;
}
