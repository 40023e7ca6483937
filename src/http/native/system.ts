/** Health, the document of this API, prune and credentials. */
import { z } from "zod";
import { UnsupportedError } from "../../errors.ts";
import type { CredentialsFacet } from "../../runtime/extras.ts";
import { version } from "../../version.ts";
import type { Call } from "../call.ts";
import { type NativeRoute, route } from "./define.ts";
import type { NativeEngine } from "./engine.ts";
import { flag } from "./schemas.ts";

export function systemRoutes(engine: NativeEngine): readonly NativeRoute[] {
  const tag = "system";
  return [
    route({
      method: "GET",
      path: "/healthz",
      summary: "Whether the engine answers",
      tag,
      role: "reader",
      answer: { status: 200, schema: z.object({ status: z.enum(["ok", "failing"]), version: z.string(), backend: z.string(), uptime_seconds: z.number() }) },
      handle: (call) => health(engine, call),
    }),
    route({
      method: "POST",
      path: "/system/prune",
      summary: "Remove unused images and, as asked for, containers, volumes and networks",
      tag,
      role: "operator",
      query: z.object({ containers: flag, volumes: flag, networks: flag, all: flag }),
      answer: { status: 200, schema: z.object({ deleted: z.record(z.string(), z.array(z.string())), space_reclaimed: z.number() }) },
      handle: async (call, { query }) => call.answer(200, await prune(engine, query)),
    }),
    ...credentialRoutes(engine),
  ];
}

/** A backend that cannot even list is no healthy engine. */
async function health(engine: NativeEngine, call: Call): Promise<void> {
  const uptime = (Date.now() - engine.facts.startedAt.getTime()) / 1000;
  const facts = { version, backend: engine.runtime.backend, uptime_seconds: Math.round(uptime) };
  try {
    await engine.containers.list({ signal: AbortSignal.timeout(5_000) });
    call.answer(200, { status: "ok", ...facts });
  } catch {
    call.answer(503, { status: "failing", ...facts });
  }
}

async function prune(
  engine: NativeEngine,
  o: { containers?: boolean | undefined; volumes?: boolean | undefined; networks?: boolean | undefined; all?: boolean | undefined },
): Promise<object> {
  const { runtime } = engine;
  const containers = o.containers ? await runtime.pruneContainers() : undefined;
  const networks = o.networks ? await runtime.extras?.networks?.prune() : undefined;
  const volumes = o.volumes ? await runtime.extras?.volumes?.prune({ all: o.all }) : undefined;
  const images = await runtime.pruneImages({ all: o.all });
  return {
    deleted: { images: images.deleted, containers: containers?.deleted ?? [], volumes: volumes?.deleted ?? [], networks: networks?.deleted ?? [] },
    space_reclaimed: images.spaceReclaimed + (containers?.spaceReclaimed ?? 0) + (volumes?.spaceReclaimed ?? 0),
  };
}

const credential = z
  .object({ id: z.string(), registry: z.string(), username: z.string().optional(), created_at: z.string() })
  .meta({ id: "RegistryCredential" });

function credentialRoutes(engine: NativeEngine): readonly NativeRoute[] {
  const tag = "credentials";
  const facet = (): CredentialsFacet => {
    const { credentials } = engine.runtime.extras ?? {};
    if (credentials === undefined) throw new UnsupportedError("credentials", engine.runtime.backend, "it keeps none");
    return credentials;
  };
  const shown = ({ id, registry, username, createdAt }: Awaited<ReturnType<CredentialsFacet["list"]>>[number]): z.infer<typeof credential> => ({
    id,
    registry,
    username,
    created_at: createdAt.toISOString(),
  });
  return [
    route({
      method: "GET",
      path: "/credentials/registry",
      summary: "Registry credentials, without their secrets",
      tag,
      role: "admin",
      answer: { status: 200, schema: z.array(credential) },
      handle: async (call) => call.answer(200, (await facet().list()).map(shown)),
    }),
    route({
      method: "POST",
      path: "/credentials/registry",
      summary: "Keep credentials for a registry",
      tag,
      role: "admin",
      body: z.strictObject({ registry: z.string(), username: z.string(), password: z.string(), auth_type: z.enum(["basic", "token"]).optional() }),
      answer: { status: 201, schema: credential },
      handle: async (call, { body }) =>
        call.answer(
          201,
          shown(await facet().store(body.registry, { kind: "basic", username: body.username, password: body.password, authType: body.auth_type })),
        ),
    }),
    route({
      method: "DELETE",
      path: "/credentials/registry/:id",
      summary: "Forget credentials",
      tag,
      role: "admin",
      answer: { status: 204 },
      handle: async (call) => {
        await facet().remove(call.param("id"));
        call.empty(204);
      },
    }),
  ];
}
