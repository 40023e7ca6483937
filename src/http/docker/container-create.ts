import { existsSync, mkdirSync } from "node:fs";
import type { ContainerCreateBody } from "../../docker-api/containers.ts";
import { checkName, namePattern } from "../../engine/names.ts";
import { createStandalone } from "../../engine/standalone.ts";
import { isBerthError, messageOf } from "../../errors.ts";
import { type ContainerId, initialName } from "../../spec/container-id.ts";
import type { ServiceSpec } from "../../spec/service-spec.ts";
import { canonicalReference, familiarName, parseReference } from "../../spec/reference.ts";
import type { ImageInspectInfo } from "../../runtime/types.ts";
import type { Call } from "../call.ts";
import { textParam } from "../query.ts";
import { HttpError } from "../status.ts";
import { readCreateBody } from "./create-shape.ts";
import { createPlan } from "./create-spec.ts";
import { bindSourcesToMake } from "./create-storage.ts";
import type { DockerEngine } from "./engine.ts";
import { idFromLabel } from "./id-label.ts";
import { withVolumesFrom } from "./volumes-from.ts";

/** POST /containers/create */
export async function createContainer(engine: DockerEngine, call: Call): Promise<void> {
  const name = nameParam(call);
  const sent = readCreateBody(await call.json());
  if (!sent.Image) throw new HttpError(400, "no image was named: Image is empty");
  const image = await imageFor(engine, sent.Image);
  const body = await withVolumesFrom(engine, sent);
  const { spec, warnings } = createPlan({ body, image, platform: textParam(call.query, "platform") });
  makeBindSources(engine, body);
  await makeVolumes(engine, body);
  const id = await create(engine, { spec, name, own: idFromLabel(body.Labels) });
  try {
    const details = await engine.runtime.inspectDetailed(id);
    const hexId = details.hexId ?? (await engine.containers.find(details.name ?? "")).hexId;
    engine.requests.put(hexId, sent);
    engine.containers.remember(hexId, id);
    call.answer(201, { Id: hexId, Warnings: [...new Set([...warnings, ...(details.warnings ?? [])])] });
  } catch (error) {
    await engine.runtime.removeContainer(id).catch(() => {});
    throw error;
  }
}

function nameParam(call: Call): string | undefined {
  const name = textParam(call.query, "name");
  if (name !== undefined && !namePattern.test(name.replace(/^\//, ""))) {
    throw new HttpError(400, `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  }
  return name === undefined ? undefined : checkName(name);
}

/** `docker run` pulls when it reads `No such image`. */
async function imageFor(engine: DockerEngine, name: string): Promise<ImageInspectInfo> {
  try {
    return await engine.runtime.inspectImageNative(name);
  } catch (error) {
    if (isBerthError(error, "not_found")) throw new HttpError(404, `No such image: ${shownImage(name)}`, { cause: error });
    if (isBerthError(error, "invalid_spec")) throw new HttpError(400, `invalid reference format: ${messageOf(error)}`, { cause: error });
    throw error;
  }
}

export function shownImage(name: string): string {
  try {
    return familiarName(canonicalReference(parseReference(name)));
  } catch {
    return name;
  }
}

interface Wanted {
  readonly spec: ServiceSpec;
  readonly name: string | undefined;
  /** The client knows the container by an id of its own. */
  readonly own: ContainerId | undefined;
}

async function create(engine: DockerEngine, { spec, name, own }: Wanted): Promise<ContainerId> {
  try {
    return own === undefined ? await createStandalone(engine.runtime, spec, { name }) : await createOwn(engine, spec, own, name);
  } catch (error) {
    const holder = isBerthError(error, "conflict") && name !== undefined ? (await engine.containers.list()).find((found) => found.name === name) : undefined;
    if (holder === undefined) throw error;
    const text = `Conflict. The container name "/${name}" is already in use by container "${holder.hexId}". You have to remove (or rename) that container to be able to reuse that name.`;
    throw new HttpError(409, text, { cause: error });
  }
}

async function createOwn({ runtime }: DockerEngine, spec: ServiceSpec, id: ContainerId, name: string | undefined): Promise<ContainerId> {
  await runtime.createContainer(id, spec);
  if (name === undefined || name === initialName(id)) return id;
  try {
    await runtime.renameContainer(id, name);
    return id;
  } catch (error) {
    await runtime.removeContainer(id).catch(() => {});
    throw error;
  }
}

/** Docker makes them for `Binds`; the source of a mount must be there. Only where the engine's files are ours. */
function makeBindSources(engine: DockerEngine, body: ContainerCreateBody): void {
  if (engine.runtime.backend !== "native") return;
  for (const source of bindSourcesToMake(body)) if (!existsSync(source)) mkdirSync(source, { recursive: true });
  for (const mount of body.HostConfig?.Mounts ?? []) {
    if (mount.Type === "bind" && !existsSync(mount.Source ?? "")) {
      throw new HttpError(400, `invalid mount config for type "bind": bind source path does not exist: ${mount.Source}`);
    }
  }
}

/** A mount may say what its volume shall be when there is none yet. */
async function makeVolumes(engine: DockerEngine, body: ContainerCreateBody): Promise<void> {
  for (const { Type, Source, VolumeOptions } of body.HostConfig?.Mounts ?? []) {
    const options = VolumeOptions?.DriverConfig?.Options ?? {};
    const labels = VolumeOptions?.Labels ?? {};
    const driver = VolumeOptions?.DriverConfig?.Name;
    if (Type !== "volume" || !Source) continue;
    if (driver && driver !== "local") throw new HttpError(400, `error looking up volume plugin ${driver}: plugin "${driver}" not found`);
    if (Object.keys(options).length + Object.keys(labels).length > 0) await engine.runtime.extras?.volumes?.create({ name: Source, labels, options });
  }
}
