/** Methods 1, 2 and 24, and the extras that speak to a registry through the engine. */
import type { EngineStream } from "../../docker-api/engine-client.ts";
import { EngineError } from "../../docker-api/engine-error.ts";
import type { DistributionInspect, ImageInspect, ProgressMessage, PushResult } from "../../docker-api/images.ts";
import { jsonLines } from "../../docker-api/json-lines.ts";
import { pathPart } from "../../docker-api/query.ts";
import type { Received } from "../../docker-api/received.ts";
import { BerthError, isBerthError, messageOf } from "../../errors.ts";
import { guardedStream } from "../../runtime/guarded-stream.ts";
import type { ResolvedImage } from "../../runtime/extras.ts";
import type { PullOptions } from "../../runtime/runtime.ts";
import type { CallOptions, PullProgress, RegistryAuth } from "../../runtime/types.ts";
import { isRecord } from "../../spec/descriptor.ts";
import { parseDigest } from "../../spec/digest.ts";
import { canonicalReference, parseReference, type Reference } from "../../spec/reference.ts";
import type { PullPolicy } from "../../spec/service-spec.ts";
import type { DockerContext } from "./context.ts";
import { platformText } from "./create.ts";
import { pullQuery } from "./image-names.ts";
import { aboutImage } from "./images.ts";
import { items, number, text, texts } from "./read.ts";
import { releasing } from "./releasing.ts";
import { registryHeader } from "./registry-header.ts";

const policies: readonly PullPolicy[] = ["always", "newer", "if_not_present", "never"];

export async function pullImage(ctx: DockerContext, image: string, policy: PullPolicy, auth: RegistryAuth | undefined, o: PullOptions): Promise<void> {
  if (!policies.includes(policy)) throw new BerthError("invalid_spec", `${JSON.stringify(policy)} is not a pull policy; expected ${policies.join(", ")}`);
  const reference = parseReference(image);
  o.signal?.throwIfAborted();
  if (policy !== "always") {
    const local = await localImage(ctx, reference, o);
    if (local !== undefined && policy === "newer" && ctx.facts.isPodman) return await pullIfReachable(ctx, image, auth, o);
    if (local !== undefined && (policy !== "newer" || (await isCurrent(ctx, reference, local, auth, o.signal)))) return;
    if (local === undefined && (policy === "never" || o.sourcePolicy === "local_only"))
      throw failure(image, "it is not on this engine, and may not be fetched");
  }
  await pullWhole(ctx, image, auth, o);
}

async function pullWhole(ctx: DockerContext, image: string, auth: RegistryAuth | undefined, o: PullOptions): Promise<void> {
  for await (const _ of await pullProgress(ctx, image, auth, o)) {
    // Its errors are what matters.
  }
}

/** Podman cannot be asked what a registry has: it looks when it pulls. */
async function pullIfReachable(ctx: DockerContext, image: string, auth: RegistryAuth | undefined, o: PullOptions): Promise<void> {
  try {
    await pullWhole(ctx, image, auth, o);
  } catch (thrown) {
    if (!isBerthError(thrown, "pull_failed")) throw thrown;
    ctx.onWarning(`${image}: kept as it is here: ${messageOf(thrown)}`);
  }
}

async function localImage(ctx: DockerContext, reference: Reference, o: PullOptions): Promise<Received<ImageInspect> | undefined> {
  try {
    const found = await ctx.client.object<ImageInspect>("GET", `/images/${pathPart(canonicalReference(reference))}/json`, { signal: o.signal });
    if (o.platform === undefined) return found;
    const wanted = platformText(o.platform).split("/");
    return found.Os === wanted[0] && found.Architecture === wanted[1] ? found : undefined;
  } catch (thrown) {
    if (isBerthError(thrown, "not_found")) return undefined;
    throw thrown;
  }
}

/** `newer`: the registry cannot be reached → what is here is kept. */
async function isCurrent(
  ctx: DockerContext,
  reference: Reference,
  local: Received<ImageInspect>,
  auth: RegistryAuth | undefined,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    const { descriptor } = await distribution(ctx, reference, auth, signal);
    return texts(local.RepoDigests).some((one) => one.endsWith(`@${descriptor.digest}`));
  } catch (thrown) {
    signal?.throwIfAborted();
    ctx.onWarning(`${canonicalReference(reference)}: kept as it is here, the registry was not asked: ${messageOf(thrown)}`);
    return true;
  }
}

export async function pullProgress(
  ctx: DockerContext,
  image: string,
  auth: RegistryAuth | undefined,
  o: PullOptions,
): Promise<AsyncIterableIterator<PullProgress>> {
  const reference = parseReference(image);
  o.signal?.throwIfAborted();
  const headers = await registryHeader(ctx, reference.registry, auth);
  const query = { ...pullQuery(reference), platform: o.platform === undefined ? undefined : platformText(o.platform) };
  return guardedStream<PullProgress>((stop) => {
    const sending = ctx.client.stream("POST", "/images/create", { query, headers, signal: stop, timeoutMs: registryTimeoutMs });
    // A stream that is left before its first read never awaits it.
    sending.catch(() => {});
    return progress(sending, image, reference);
  }, o.signal);
}

/** The engine asks the registry before it answers. */
const registryTimeoutMs = 300_000;

async function* progress(sending: Promise<EngineStream>, image: string, reference: Reference): AsyncGenerator<PullProgress> {
  let digest: string | undefined;
  try {
    const { body } = await sending;
    for await (const message of messages(body)) {
      if (message.error !== undefined) throw failure(image, message.error);
      digest = /^Digest: (sha256:[0-9a-f]{64})$/.exec(message.status ?? "")?.[1] ?? digest;
      if (message.status !== undefined) yield statusOf(message, message.status);
    }
  } catch (thrown) {
    throw thrown instanceof EngineError ? failure(image, thrown.engineMessage, thrown) : thrown;
  }
  yield { kind: "done", reference: canonicalReference(reference), ...(digest === undefined ? {} : { digest }) };
}

interface Message {
  readonly id?: string | undefined;
  readonly status?: string | undefined;
  readonly stream?: string | undefined;
  readonly error?: string | undefined;
  readonly progress?: string | undefined;
  readonly current?: number | undefined;
  readonly total?: number | undefined;
  readonly aux?: unknown;
}

/** Lines of a pull, push or load. */
export async function* messages(body: AsyncIterable<Uint8Array>): AsyncGenerator<Message> {
  for await (const line of jsonLines(body)) {
    if (!isRecord(line)) throw new BerthError("internal", `the engine sent no progress message but ${JSON.stringify(line).slice(0, 80)}`);
    const message = line as Received<ProgressMessage>;
    yield {
      id: text(message.id),
      status: text(message.status),
      stream: text(message.stream),
      error: text(message.errorDetail?.message) ?? text(message.error),
      progress: text(message.progress),
      current: number(message.progressDetail?.current),
      total: number(message.progressDetail?.total),
      aux: message.aux,
    };
  }
}

/** Only layers have an id of theirs; other lines carry the tag there. */
export function statusOf(message: Message, status: string): PullProgress {
  const id = /^[0-9a-f]{12}$/.test(message.id ?? "") ? message.id : undefined;
  const { progress, current, total } = message;
  return {
    kind: "status",
    ...(id === undefined ? {} : { id }),
    status,
    ...(progress === undefined ? {} : { progress }),
    ...(current === undefined ? {} : { current }),
    ...(total === undefined ? {} : { total }),
  };
}

function failure(image: string, said: string, cause?: unknown): BerthError {
  const reason = /no image found in (?:image index|manifest list) for architecture/.test(said) ? `no matching manifest: ${said}` : said;
  return new BerthError("pull_failed", `cannot pull ${image}: ${reason}`, { image, reason, cause });
}

export async function pushImage(ctx: DockerContext, image: string, auth: RegistryAuth | undefined, o: CallOptions): Promise<AsyncIterable<PullProgress>> {
  const reference = parseReference(image);
  if (reference.digest !== undefined) throw new BerthError("invalid_spec", `${image}: a push needs a tag, not a digest`);
  // An engine finds out in the middle of its answer.
  await aboutImage(image, (path) => ctx.client.object("GET", `${path}/json`, { signal: o.signal }));
  const headers = await registryHeader(ctx, reference.registry, auth);
  const path = `/images/${pathPart(`${reference.registry}/${reference.path}`)}/push`;
  const { body } = await ctx.client.stream("POST", path, { query: { tag: reference.tag }, headers, signal: o.signal, timeoutMs: registryTimeoutMs });
  return releasing(
    guardedStream(() => pushed(body, image, reference), o.signal),
    () => body.close(),
  );
}

async function* pushed(body: EngineStream["body"], image: string, reference: Reference): AsyncGenerator<PullProgress> {
  let digest: string | undefined;
  for await (const message of messages(body)) {
    if (message.error !== undefined) throw new BerthError("internal", `cannot push ${image}: ${message.error}`, { image, reason: message.error });
    if (isRecord(message.aux)) digest = text(message.aux["Digest" satisfies keyof PushResult] as string | undefined) ?? digest;
    digest = /digest: (sha256:[0-9a-f]{64})/.exec(message.status ?? "")?.[1] ?? digest;
    if (message.status !== undefined) yield statusOf(message, message.status);
  }
  yield { kind: "done", reference: canonicalReference(reference), ...(digest === undefined ? {} : { digest }) };
}

export async function resolveImage(ctx: DockerContext, image: string, auth: RegistryAuth | undefined, o: CallOptions): Promise<ResolvedImage> {
  const reference = parseReference(image);
  try {
    return await distribution(ctx, reference, auth, o.signal);
  } catch (thrown) {
    if (!(thrown instanceof EngineError)) throw thrown;
    if (ctx.facts.isPodman && /^not found$|not supported/i.test(thrown.engineMessage))
      throw new BerthError("unsupported", `${image}: Podman cannot be asked what a registry has; pull it instead`, { image, cause: thrown });
    if (/not found|unknown/i.test(thrown.engineMessage)) throw new BerthError("not_found", `${image} is not in its registry`, { image, cause: thrown });
    throw failure(image, thrown.engineMessage, thrown);
  }
}

async function distribution(ctx: DockerContext, reference: Reference, auth: RegistryAuth | undefined, signal: AbortSignal | undefined): Promise<ResolvedImage> {
  const headers = await registryHeader(ctx, reference.registry, auth);
  const path = `/distribution/${pathPart(canonicalReference(reference))}/json`;
  const { Descriptor: descriptor, Platforms: platforms } = await ctx.client.object<DistributionInspect>("GET", path, { headers, signal });
  return {
    descriptor: { mediaType: descriptor?.mediaType ?? "", digest: parseDigest(descriptor?.digest ?? ""), size: number(descriptor?.size) ?? 0 },
    platforms: items(platforms).map((one) => ({
      os: one.os === "darwin" ? "macos" : one.os === "windows" ? "windows" : "linux",
      arch: one.architecture ?? "",
      ...(text(one.variant) === undefined ? {} : { variant: text(one.variant) }),
      ...(text(one["os.version"]) === undefined ? {} : { osVersion: text(one["os.version"]) }),
    })),
  };
}
