/** `/api/v1/containers`: create, list, look, remove. */
import { z } from "zod";
import { isManaged } from "../../engine/resolve.ts";
import { createStandalone } from "../../engine/standalone.ts";
import { startOrDiscard } from "../../engine/start-container.ts";
import { BerthError } from "../../errors.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { Call } from "../call.ts";
import { withContainer } from "../docker/container-ref.ts";
import { matchesLabels } from "../../runtime/label-filter.ts";
import { type ContainerInfo, toContainerInfo } from "./container-info.ts";
import { toServiceSpec } from "./create-spec.ts";
import { type NativeRoute, route } from "./define.ts";
import type { NativeEngine } from "./engine.ts";
import { containerInfo, createRequest, type CreateRequest, flag, listed } from "./schemas.ts";

const stopMs = 30_000;

export function containerRoutes(engine: NativeEngine): readonly NativeRoute[] {
  const tag = "containers";
  return [
    route({
      method: "POST",
      path: "/containers",
      summary: "Create a container, and start it unless `start` is false",
      tag,
      role: "operator",
      body: createRequest,
      answer: { status: 201, schema: containerInfo },
      handle: async (call, { body }) => call.answer(201, await create(engine, body)),
    }),
    route({
      method: "POST",
      path: "/containers/_dispatch",
      summary: "Create forwarded from another node",
      tag,
      role: "admin",
      answer: { status: 501 },
      handle: () => {
        throw new BerthError("unsupported", "this engine is a single node: nothing is forwarded to it");
      },
    }),
    route({
      method: "GET",
      path: "/containers",
      summary: "List containers; every label must match",
      tag,
      role: "reader",
      query: z.object({ label: listed }),
      answer: { status: 200, schema: z.array(containerInfo) },
      handle: async (call, { query }) => call.answer(200, await list(engine, query.label ?? [])),
    }),
    route({
      method: "GET",
      path: "/containers/:id",
      summary: "One container",
      tag,
      role: "reader",
      isOpenToContainers: true,
      answer: { status: 200, schema: containerInfo },
      handle: async (call) => call.answer(200, await infoOf(engine, call)),
    }),
    route({
      method: "DELETE",
      path: "/containers/:id",
      summary: "Stop and remove; `force` kills at once, `volumes` also removes the named volumes it used alone",
      tag,
      role: "operator",
      query: z.object({ force: flag, volumes: flag }),
      answer: { status: 204 },
      handle: (call, { query }) => remove(engine, call, query),
    }),
  ];
}

async function create(engine: NativeEngine, request: CreateRequest): Promise<ContainerInfo> {
  const { runtime } = engine;
  const spec = toServiceSpec(request);
  const auth = request.registry_auth;
  if (request.registry_credential_id !== undefined) await mustHaveCredential(engine, request.registry_credential_id);
  const { image } = spec;
  const reference = typeof image === "string" ? image : image.name;
  await runtime.pullImageWithPolicy(
    reference,
    request.pull_policy ?? "if_not_present",
    auth && { username: auth.username, password: auth.password, authType: auth.auth_type },
  );
  const id = await createStandalone(runtime, spec, { name: request.name });
  try {
    const { hexId } = await runtime.inspectDetailed(id);
    if (hexId !== undefined) {
      engine.requests.put(hexId, {});
      engine.containers.remember(hexId, id);
    }
    if (request.start !== false) await startOrDiscard(runtime, id);
    return await describe(engine, hexId ?? "", id);
  } catch (error) {
    await runtime.removeContainer(id).catch(() => {});
    throw error;
  }
}

/** Credentials on record are found by the registry's name; the id only says which is meant. */
export async function mustHaveCredential(engine: NativeEngine, id: string): Promise<void> {
  const { credentials } = engine.runtime.extras ?? {};
  if (credentials === undefined) throw new BerthError("invalid_spec", `registry_credential_id ${id}: this backend keeps no credentials`);
  if (!(await credentials.list()).some((entry) => entry.id === id)) throw new BerthError("not_found", `no registry credential ${id}`);
}

export async function describe(engine: NativeEngine, hexId: string, id: ContainerId): Promise<ContainerInfo> {
  const details = await engine.runtime.inspectDetailed(id);
  const state = details.state ?? (await engine.runtime.containerState(id));
  return toContainerInfo(hexId, details, state);
}

async function list(engine: NativeEngine, labels: readonly string[]): Promise<readonly ContainerInfo[]> {
  const found = (await engine.containers.list()).filter(isManaged).filter((container) => matchesLabels(container.labels ?? {}, labels));
  const infos = await Promise.allSettled(found.map(({ hexId = "", containerId }) => describe(engine, hexId, containerId)));
  return infos.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
}

function infoOf(engine: NativeEngine, call: Call): Promise<ContainerInfo> {
  return withContainer(engine, call.param("id"), ({ id, hexId }) => describe(engine, hexId, id));
}

async function remove(engine: NativeEngine, call: Call, o: { force?: boolean | undefined; volumes?: boolean | undefined }): Promise<void> {
  await withContainer(engine, call.param("id"), async ({ id, hexId }) => {
    const { mounts = [] } = await engine.runtime.inspectDetailed(id);
    if (o.force !== true) {
      await engine.runtime.stopContainer(id, stopMs);
      await engine.runtime.syncContainerVolumes(id);
    }
    await engine.runtime.removeContainer(id);
    engine.requests.delete(hexId);
    if (o.volumes === true)
      await removeVolumes(
        engine,
        mounts.flatMap(({ type, name }) => (type === "volume" && name !== undefined ? [name] : [])),
      );
    call.empty(204);
  });
}

/** Those that others use stay. */
async function removeVolumes(engine: NativeEngine, names: readonly string[]): Promise<void> {
  const { volumes } = engine.runtime.extras ?? {};
  for (const name of names) {
    const found = await volumes?.inspect(name).catch(() => undefined);
    if (found !== undefined && found.usedBy.length === 0) await volumes?.remove(name);
  }
}
