/** Methods 33 to 36: images and whole file systems as tars, passed through at the reader's pace. */
import { byteChunks } from "../../archive/archive-source.ts";
import type { EngineStream } from "../../docker-api/engine-client.ts";
import { EngineError } from "../../docker-api/engine-error.ts";
import { BerthError } from "../../errors.ts";
import { guardedStream } from "../../runtime/guarded-stream.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { ByteSource, ByteStream, LoadProgress } from "../../runtime/types.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { DockerContext } from "./context.ts";
import { platformText } from "./create.ts";
import { canonicalTag, engineImageName } from "./image-names.ts";
import { aboutImage } from "./images.ts";
import { changeLines, checkTarget } from "./new-image.ts";
import { messages } from "./pull.ts";

/** Uploads take as long as their content. */
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
  // An engine says nothing of an archive in which it found no image.
  if (references.length === 0) throw new BerthError("invalid_spec", "cannot load the archive: it holds no image; hand in one that save wrote");
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
  const query = { fromSrc: "-", ...importedName(ctx, repo, tag), message: o.message ?? "Imported from -", changes, platform };
  try {
    const { body } = await ctx.client.stream("POST", "/images/create", { query, upload: notEmpty(tar), timeoutMs: noTimeout });
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

/** An engine would make an image of nothing. */
async function* notEmpty(tar: ByteSource): AsyncGenerator<Buffer, void, void> {
  let isEmpty = true;
  for await (const chunk of byteChunks(tar)) {
    isEmpty = false;
    yield chunk;
  }
  if (isEmpty) throw new BerthError("invalid_spec", "the archive is empty; hand in a tar of a root file system");
}

/** Podman looks at the repository only. */
function importedName(ctx: DockerContext, repo: string | undefined, tag = "latest"): { readonly repo?: string; readonly tag?: string } {
  if (repo === undefined) return {};
  return ctx.facts.isPodman ? { repo: `${repo}:${tag}` } : { repo, tag };
}

export async function exportContainer(ctx: DockerContext, id: ContainerId, signal: AbortSignal | undefined): Promise<ByteStream> {
  return await ctx.ids.use(
    id,
    signal,
    async ({ engineId }) => (await ctx.client.stream("GET", `/containers/${engineId}/export`, { signal, timeoutMs: noTimeout })).body,
  );
}
