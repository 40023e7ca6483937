/** `/api/v1/images` and what goes with them. */
import { z } from "zod";
import type { PullProgress, RegistryAuth } from "../../runtime/types.ts";
import type { Call } from "../call.ts";
import { commitContainer } from "../docker/image-commit.ts";
import { saveImages, withImage } from "../docker/images.ts";
import { mustHaveCredential } from "./containers.ts";
import { type NativeRoute, route } from "./define.ts";
import type { NativeEngine } from "./engine.ts";
import { flag, listed, pullRequest, wholeNumber } from "./schemas.ts";

const imageInfo = z
  .object({
    reference: z.string(),
    digest: z.string().optional(),
    size_bytes: z.number().optional(),
    id: z.string().optional(),
    created: z.string().optional(),
  })
  .meta({ id: "ImageInfo" });

export function imageRoutes(engine: NativeEngine): readonly NativeRoute[] {
  const tag = "images";
  const { runtime } = engine;
  return [
    route({
      method: "GET",
      path: "/images",
      summary: "List images",
      tag,
      role: "reader",
      answer: { status: 200, schema: z.array(imageInfo) },
      handle: async (call) =>
        call.answer(
          200,
          (await runtime.listImages()).map(({ reference, digest, sizeBytes, id, created }) => ({ reference, digest, size_bytes: sizeBytes, id, created })),
        ),
    }),
    route({
      method: "POST",
      path: "/images/pull",
      summary: "Pull; with `stream` one line of progress after the other",
      tag,
      role: "operator",
      query: z.object({ stream: flag }),
      body: pullRequest,
      answer: { status: 200, schema: imageInfo },
      handle: (call, { query, body }) => pull(engine, call, body, query.stream === true),
    }),
    route({
      method: "POST",
      path: "/images/tag",
      summary: "Give an image a further name",
      tag,
      role: "operator",
      body: z.strictObject({ source: z.string().min(1), target: z.string().min(1) }),
      answer: { status: 204 },
      handle: async (call, { body }) => {
        await withImage(body.source, () => runtime.tagImage(body.source, body.target));
        call.empty(204);
      },
    }),
    route({
      method: "GET",
      path: "/images/search",
      summary: "Search a registry",
      tag,
      role: "reader",
      query: z.object({ term: z.string().min(1), limit: wholeNumber }),
      answer: { status: 200, schema: z.array(z.unknown()) },
      handle: async (call, { query }) => {
        const found = await runtime.searchImages(query.term, query.limit ?? 25, { signal: call.signal });
        call.answer(
          200,
          found.map(({ starCount, ...rest }) => ({ ...rest, star_count: starCount })),
        );
      },
    }),
    route({
      method: "GET",
      path: "/images/save",
      summary: "Images as one tar",
      tag,
      role: "reader",
      query: z.object({ names: listed }),
      answer: { status: 200, contentType: "application/x-tar" },
      handle: (call, { query }) =>
        saveImages(
          engine,
          call,
          (query.names ?? []).flatMap((name) => name.split(",")),
        ),
    }),
    route({
      method: "POST",
      path: "/images/load",
      summary: "Load the images of a tar",
      tag,
      role: "operator",
      query: z.object({ quiet: flag }),
      bodyType: "application/x-tar",
      answer: { status: 200, contentType: "application/x-ndjson", schema: z.unknown() },
      handle: async (call, { query }) => lines(call, await runtime.loadImages(call.body, query.quiet === true, { signal: call.signal })),
    }),
    route({
      method: "POST",
      path: "/images/import",
      summary: "Make an image of a file system's tar",
      tag,
      role: "operator",
      query: z.object({ repo: z.string().optional(), tag: z.string().optional() }),
      bodyType: "application/x-tar",
      answer: { status: 200, schema: z.object({ id: z.string() }) },
      handle: async (call, { query }) => call.answer(200, { id: await runtime.importImage(call.body, query.repo, query.tag, { signal: call.signal }) }),
    }),
    route({
      method: "GET",
      path: "/images/:name*/inspect",
      summary: "Everything about an image",
      tag,
      role: "reader",
      answer: { status: 200, schema: z.unknown() },
      handle: async (call) => call.answer(200, snake(await withImage(call.param("name"), (name) => runtime.inspectImageNative(name)))),
    }),
    route({
      method: "GET",
      path: "/images/:name*/history",
      summary: "How an image was made",
      tag,
      role: "reader",
      answer: { status: 200, schema: z.array(z.unknown()) },
      handle: async (call) => call.answer(200, (await withImage(call.param("name"), (name) => runtime.imageHistory(name))).map(snake)),
    }),
    route({
      method: "DELETE",
      path: "/images/:name*",
      summary: "Remove an image",
      tag,
      role: "operator",
      query: z.object({ force: flag }),
      answer: { status: 204 },
      handle: async (call, { query }) => {
        await withImage(call.param("name"), (name) => runtime.removeImage(name, query.force === true));
        call.empty(204);
      },
    }),
    route({
      method: "POST",
      path: "/commit",
      summary: "Make an image of a container",
      tag,
      role: "operator",
      answer: { status: 201, schema: z.object({ Id: z.string() }) },
      handle: (call) => commitContainer(engine, call),
    }),
  ];
}

async function pull(engine: NativeEngine, call: Call, body: z.infer<typeof pullRequest>, streams: boolean): Promise<void> {
  const { runtime } = engine;
  if (body.registry_credential_id !== undefined) await mustHaveCredential(engine, body.registry_credential_id);
  const inline = body.registry_auth;
  const auth: RegistryAuth | undefined = inline && { username: inline.username, password: inline.password, authType: inline.auth_type };
  if (streams) return lines(call, await runtime.pullImageStream(body.reference, auth, { signal: call.signal }));
  await runtime.pullImageWithPolicy(body.reference, body.pull_policy ?? "always", auth, { signal: call.signal });
  const { repoDigests, size } = await runtime.inspectImageNative(body.reference);
  return call.answer(200, { reference: body.reference, digest: repoDigests[0]?.split("@")[1], size_bytes: size });
}

async function lines(call: Call, events: AsyncIterable<PullProgress | object>): Promise<void> {
  let hasBegun = false;
  try {
    for await (const event of events) {
      if (!hasBegun) call.begin(200, "application/x-ndjson");
      hasBegun = true;
      const wait = call.write(`${JSON.stringify(event)}\n`);
      if (wait !== undefined) await wait;
    }
  } catch (error) {
    if (!hasBegun || call.signal.aborted) throw error;
    await call.write(`${JSON.stringify({ kind: "error", message: error instanceof Error ? error.message : String(error) })}\n`);
  }
  if (!hasBegun) call.begin(200, "application/x-ndjson");
  call.end();
}

/** Keys of the first level; what is below them is the caller's (labels) or a list. */
function snake(value: object): object {
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), inner]));
}
