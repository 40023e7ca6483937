/** Routes that answer with progress, line by line: pull, push, load, import. Failures after the header are told in band. */
import { decodeRegistryAuth, registryAuthHeader, type WireRegistryAuth } from "../../docker-api/registry-auth.ts";
import { isBerthError, messageOf, UnsupportedError } from "../../errors.ts";
import type { LoadProgress, PullProgress, RegistryAuth } from "../../runtime/types.ts";
import { parsePlatform } from "../../spec/platform.ts";
import { parseReference } from "../../spec/reference.ts";
import type { Call } from "../call.ts";
import { boolParam, textParam } from "../query.ts";
import { HttpError } from "../status.ts";
import { shownImage } from "./container-create.ts";
import type { DockerEngine } from "./engine.ts";
import { withImage, withTag } from "./images.ts";

/** POST /images/create: a pull, or with `fromSrc` an import. */
export async function createImage(engine: DockerEngine, call: Call): Promise<void> {
  const { query } = call;
  if (textParam(query, "fromSrc") !== undefined) return importImage(engine, call);
  const repo = textParam(query, "fromImage");
  if (repo === undefined) throw new HttpError(400, "fromImage or fromSrc must be given");
  const image = withTag(repo, textParam(query, "tag"));
  const platform = textParam(query, "platform");
  const reference = parseReference(image);
  const progress = await engine.runtime.pullImageStream(image, authOf(call), {
    platform: platform === undefined ? undefined : parsePlatform(platform),
    signal: call.signal,
  });
  return sendProgress(call, pullLines(progress, { image, tag: reference.tag ?? reference.digest ?? "latest" }));
}

export function authOf(call: Call): RegistryAuth | undefined {
  const header = call.headers[registryAuthHeader];
  return registryAuth(decodeRegistryAuth(typeof header === "string" ? header : undefined));
}

/** Of the several ways to say who one is, the strongest. */
export function registryAuth(auth: WireRegistryAuth | undefined): RegistryAuth | undefined {
  if (auth === undefined) return undefined;
  const token = auth.registrytoken ?? auth.identitytoken;
  if (token !== undefined) return { username: "<token>", password: token, authType: "token" };
  if (auth.username !== undefined && auth.password !== undefined) return { username: auth.username, password: auth.password };
  const [, username, password] = /^([^:]+):(.*)$/s.exec(Buffer.from(auth.auth ?? "", "base64").toString("utf8")) ?? [];
  return username === undefined || password === undefined ? undefined : { username, password };
}

type Line = Readonly<Record<string, unknown>>;

async function* pullLines(progress: AsyncIterable<PullProgress>, o: { image: string; tag: string }): AsyncGenerator<Line> {
  let isFirst = true;
  let didDownload = false;
  for await (const event of progress) {
    if (event.kind === "done") {
      if (event.digest !== undefined) yield { status: `Digest: ${event.digest}` };
      yield { status: `Status: ${didDownload ? "Downloaded newer image" : "Image is up to date"} for ${shownImage(o.image)}` };
      return;
    }
    didDownload ||= event.status === "Pull complete";
    // The engine's last words are said above, once.
    if (/^(Digest|Status): /.test(event.status)) continue;
    const id = event.id ?? (isFirst && event.status.startsWith("Pulling from") ? o.tag : undefined);
    isFirst = false;
    yield progressLine({ ...event, id });
  }
}

function progressLine(event: {
  id?: string | undefined;
  status: string;
  progress?: string | undefined;
  current?: number | undefined;
  total?: number | undefined;
}): Line {
  const { id, status, progress, current, total } = event;
  const detail = current === undefined && total === undefined ? {} : { current, total };
  return { status, progressDetail: detail, ...(progress === undefined ? {} : { progress }), ...(id === undefined ? {} : { id }) };
}

/** POST /images/{name}/push */
export async function pushImage(engine: DockerEngine, call: Call): Promise<void> {
  const { pushImage: push } = engine.runtime.extras ?? {};
  if (push === undefined) throw new UnsupportedError("pushImage", engine.runtime.backend, "it cannot send images");
  const image = withTag(call.param("name"), textParam(call.query, "tag"));
  await withImage(image, () => engine.runtime.inspectImageNative(image));
  const { tag = "latest" } = parseReference(image);
  const progress = await push(image, authOf(call), { signal: call.signal });
  await sendProgress(call, pushLines(progress, { image, tag }));
}

async function* pushLines(progress: AsyncIterable<PullProgress>, o: { image: string; tag: string }): AsyncGenerator<Line> {
  yield { status: `The push refers to repository [${shownImage(o.image).replace(/:[^/:]*$/, "")}]` };
  for await (const event of progress) {
    if (event.kind === "status") yield progressLine(event);
    else {
      yield { status: `${o.tag}: digest: ${event.digest ?? ""} size: 0` };
      yield { progressDetail: {}, aux: { Tag: o.tag, Digest: event.digest ?? "", Size: 0 } };
    }
  }
}

/** POST /images/load */
export async function loadImages(engine: DockerEngine, call: Call): Promise<void> {
  const quiet = boolParam(call.query, "quiet");
  const progress = await engine.runtime.loadImages(call.body, quiet, { signal: call.signal });
  await sendProgress(call, loadLines(progress));
}

async function* loadLines(progress: AsyncIterable<LoadProgress>): AsyncGenerator<Line> {
  for await (const event of progress) {
    if (event.kind === "status") yield { status: event.status, progressDetail: {}, ...(event.id === undefined ? {} : { id: event.id }) };
    else for (const reference of event.references) yield { stream: `Loaded image${reference.startsWith("sha256:") ? " ID" : ""}: ${shownImage(reference)}\n` };
  }
}

async function importImage(engine: DockerEngine, call: Call): Promise<void> {
  const { query } = call;
  if (query.get("fromSrc") !== "-") throw new HttpError(501, 'importing from an address is not supported: send the tar and fromSrc "-"');
  const platform = textParam(query, "platform");
  const changes = query.getAll("changes").filter((line) => line !== "");
  const id = await engine.runtime.importImage(call.body, textParam(query, "repo"), textParam(query, "tag"), {
    message: textParam(query, "message"),
    changes: changes.length === 0 ? undefined : changes.join("\n"),
    platform: platform === undefined ? undefined : parsePlatform(platform),
    signal: call.signal,
  });
  await sendProgress(call, oneLine({ status: id }));
}

async function* oneLine(line: Line): AsyncGenerator<Line> {
  yield line;
}

/** A failure before the first line still has a status of its own; a later one becomes the last line. */
async function sendProgress(call: Call, lines: AsyncGenerator<Line>): Promise<void> {
  let hasBegun = false;
  try {
    for await (const line of lines) {
      if (!hasBegun) call.begin(200, "application/json");
      hasBegun = true;
      const wait = call.write(`${JSON.stringify(line)}\r\n`);
      if (wait !== undefined) await wait;
    }
  } catch (error) {
    if (call.signal.aborted) return;
    if (!hasBegun) throw error;
    await call.write(`${JSON.stringify({ errorDetail: { ...errorCode(error), message: messageOf(error) }, error: messageOf(error) })}\r\n`);
  }
  if (!hasBegun) call.begin(200, "application/json");
  call.end();
}

function errorCode(error: unknown): { code?: number } {
  return isBerthError(error) && error.fields.status !== undefined ? { code: error.fields.status } : {};
}
