/** Methods 33 to 37 and 47 to 49: images and files as tars, passed through at the reader's pace. */
import type { FilesystemChange, IdAnswer } from "../../docker-api/containers.ts";
import type { EngineStream } from "../../docker-api/engine-client.ts";
import { EngineError } from "../../docker-api/engine-error.ts";
import { decodePathStat, pathStatHeader } from "../../docker-api/path-stat.ts";
import { pathPart } from "../../docker-api/query.ts";
import { BerthError } from "../../errors.ts";
import { guardedStream } from "../../runtime/guarded-stream.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type {
  ArchivePutOptions,
  ByteSource,
  ByteStream,
  CommitOptions,
  CommitOutcome,
  FilesystemChangeEntry,
  LoadProgress,
  PathStat,
} from "../../runtime/types.ts";
import { applyChanges, emptyConfig } from "../../spec/changes.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import { parseReference } from "../../spec/reference.ts";
import type { DockerContext } from "./context.ts";
import { platformText } from "./create.ts";
import { canonicalTag, engineImageName } from "./image-names.ts";
import { aboutImage } from "./images.ts";
import { inspectEngine } from "./lifecycle.ts";
import { messages } from "./pull.ts";
import { text } from "./read.ts";

/** Uploads and commits take as long as their content. */
const noTimeout = 0;

export async function saveImages(ctx: DockerContext, names: readonly string[], signal: AbortSignal | undefined): Promise<ByteStream> {
  if (names.length === 0) throw new BerthError("invalid_spec", "no image to save; name at least one");
  // The engine would find out about a missing one in the middle of the archive.
  for (const name of names) await aboutImage(name, (path) => ctx.client.object("GET", `${path}/json`, { signal }));
  return (await ctx.client.stream("GET", "/images/get", { query: { names: names.map(engineImageName) }, signal, timeoutMs: noTimeout })).body;
}

export async function loadImages(ctx: DockerContext, tar: ByteSource, quiet: boolean, signal: AbortSignal | undefined): Promise<AsyncIterable<LoadProgress>> {
  signal?.throwIfAborted();
  return guardedStream<LoadProgress>((stop) => {
    const sending = ctx.client.stream("POST", "/images/load", { query: { quiet }, upload: tar, signal: stop, timeoutMs: noTimeout });
    sending.catch(() => {});
    return loaded(sending, quiet);
  }, signal);
}

async function* loaded(sending: Promise<EngineStream>, quiet: boolean): AsyncGenerator<LoadProgress> {
  const references: string[] = [];
  const { body } = await sending.catch((thrown: unknown) => {
    throw loadFailure(thrown);
  });
  for await (const message of messages(body)) {
    if (message.error !== undefined) throw new BerthError("invalid_spec", `cannot load the archive: ${message.error}`, { reason: message.error });
    const found = /^Loaded image(?: ID)?(?:\(s\))?: (?<names>.+)$/s.exec(message.stream?.trim() ?? "")?.groups?.["names"];
    if (found !== undefined) references.push(...found.split(",").map((name) => loadedName(name.trim())));
    else if (!quiet && message.status !== undefined) yield { kind: "status", ...(message.id === undefined ? {} : { id: message.id }), status: message.status };
  }
  yield { kind: "done", references };
}

function loadedName(name: string): string {
  return name.startsWith("sha256:") ? name : canonicalTag(name);
}

/** What an engine cannot read is the caller's archive, whatever status it gives that. */
function loadFailure(thrown: unknown): unknown {
  if (!(thrown instanceof EngineError)) return thrown;
  return new BerthError("invalid_spec", `cannot load the archive: ${thrown.engineMessage}`, { reason: thrown.engineMessage, cause: thrown });
}

export async function importImage(
  ctx: DockerContext,
  tar: ByteSource,
  repo: string | undefined,
  tag: string | undefined,
  o: NonNullable<Parameters<Runtime["importImage"]>[3]>,
): Promise<string> {
  checkTarget(repo, tag);
  const changes = changeLines(o.changes);
  const platform = o.platform === undefined ? undefined : platformText(o.platform);
  const query = { fromSrc: "-", repo, tag: repo === undefined ? undefined : (tag ?? "latest"), message: o.message ?? "Imported from -", changes, platform };
  try {
    const { body } = await ctx.client.stream("POST", "/images/create", { query, upload: tar, timeoutMs: noTimeout });
    let id: string | undefined;
    for await (const { error, status } of messages(body)) {
      if (error !== undefined) throw new BerthError("invalid_spec", `cannot import the archive: ${error}`, { reason: error });
      if (status?.startsWith("sha256:") === true) id = status.trim();
    }
    if (id === undefined) throw new BerthError("internal", "the engine imported an archive and named no image");
    return id;
  } catch (thrown) {
    if (thrown instanceof EngineError)
      throw new BerthError("invalid_spec", `cannot import the archive: ${thrown.engineMessage}`, { reason: thrown.engineMessage, cause: thrown });
    throw thrown;
  }
}

/** Checked here: engines differ in what they take. */
function changeLines(changes: string | undefined): readonly string[] | undefined {
  if (changes === undefined || changes.trim() === "") return undefined;
  applyChanges(emptyConfig, changes);
  return changes.split("\n").filter((line) => line.trim() !== "");
}

/** An engine would take a tag without a repository for none. */
function checkTarget(repo: string | undefined, tag: string | undefined): void {
  if (repo === undefined && tag !== undefined) throw new BerthError("invalid_spec", `tag ${JSON.stringify(tag)} without a repository names nothing`);
  if (repo !== undefined) parseReference(tag === undefined ? repo : `${repo}:${tag}`);
}

export async function exportContainer(ctx: DockerContext, id: ContainerId, signal: AbortSignal | undefined): Promise<ByteStream> {
  return await ctx.ids.use(
    id,
    signal,
    async ({ engineId }) => (await ctx.client.stream("GET", `/containers/${engineId}/export`, { signal, timeoutMs: noTimeout })).body,
  );
}

export async function commitContainer(ctx: DockerContext, id: ContainerId, o: CommitOptions): Promise<CommitOutcome> {
  const changes = changeLines(o.changes);
  return await ctx.ids.use(id, undefined, async ({ engineId }) => {
    const query = {
      container: engineId,
      repo: o.repo,
      tag: o.repo === undefined ? undefined : (o.tag ?? "latest"),
      comment: o.comment,
      author: o.author,
      pause: o.pause ?? true,
      changes,
    };
    const committed = await ctx.client.object<IdAnswer>("POST", "/commit", { query, json: {}, timeoutMs: noTimeout });
    const image = text(committed.Id);
    if (image === undefined) throw new BerthError("internal", "the engine committed a container and named no image");
    return { id: image.startsWith("sha256:") ? image : `sha256:${image}` };
  });
}

const changeKinds = ["modified", "added", "deleted"] as const;

export async function changesOf(ctx: DockerContext, id: ContainerId, signal: AbortSignal | undefined): Promise<readonly FilesystemChangeEntry[]> {
  const found = await ctx.ids.use(id, signal, ({ engineId }) => ctx.client.list<FilesystemChange>("GET", `/containers/${engineId}/changes`, { signal }));
  const all = found.flatMap((change): FilesystemChangeEntry[] => {
    const [path, kind] = [text(change.Path), changeKinds[change.Kind ?? 0]];
    return path === undefined || kind === undefined ? [] : [{ path, kind }];
  });
  return all.sort((a, b) => (a.path < b.path ? -1 : 1));
}

export async function archiveGet(ctx: DockerContext, id: ContainerId, path: string, signal: AbortSignal | undefined): Promise<ByteStream> {
  return await aboutPath(ctx, id, path, signal, async (url) => (await ctx.client.stream("GET", url, { query: { path }, signal })).body);
}

export async function archiveHead(ctx: DockerContext, id: ContainerId, path: string, signal: AbortSignal | undefined): Promise<PathStat> {
  return await aboutPath(ctx, id, path, signal, async (url) => {
    const headers = await ctx.client.head(url, { query: { path }, signal });
    return decodePathStat(headers[pathStatHeader]);
  });
}

export async function archivePut(ctx: DockerContext, id: ContainerId, path: string, tar: ByteSource, o: ArchivePutOptions): Promise<void> {
  await aboutPath(ctx, id, path, undefined, async (url) => {
    const query = { path, noOverwriteDirNonDir: o.noOverwriteDirNonDir === true, copyUIDGID: o.copyUidGid === true };
    await ctx.client.done("PUT", url, { query, upload: tar, timeoutMs: noTimeout });
  });
}

async function aboutPath<T>(ctx: DockerContext, id: ContainerId, path: string, signal: AbortSignal | undefined, call: (url: string) => Promise<T>): Promise<T> {
  if (path === "") throw new BerthError("invalid_spec", "the path is empty; name a path inside the container");
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

function pathFailure(path: string, thrown: unknown): unknown {
  if (!(thrown instanceof EngineError)) return thrown;
  const { status, engineMessage } = thrown;
  if (status === 404 && !/no such container/i.test(engineMessage))
    return new BerthError("not_found", `no path ${path} in the container`, { id: path, cause: thrown });
  const isComponent = /not a directory/i.test(engineMessage) && !/extraction point/i.test(engineMessage);
  if (isComponent && !/cannot overwrite/i.test(engineMessage))
    return new BerthError("not_found", `no path ${path} in the container`, { id: path, cause: thrown });
  if (
    status === 403 ||
    (status === 500 && /read-only|cannot overwrite|processing tar file|unexpected EOF|invalid tar|archive\/tar|outside of/i.test(engineMessage))
  ) {
    return new BerthError("invalid_spec", `${path}: ${engineMessage}`, { id: path, cause: thrown });
  }
  return thrown;
}
