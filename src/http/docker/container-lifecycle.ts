/** Start, stop and what else changes a container, by one POST each. */
import type { ContainerUpdateBody } from "../../docker-api/containers.ts";
import { assertFilterKeys, decodeFilters } from "../../docker-api/filters.ts";
import { checkName, namePattern } from "../../engine/names.ts";
import { restartContainer as restart } from "../../engine/restart-container.ts";
import { startOrDiscard } from "../../engine/start-container.ts";
import type { FoundContainer } from "../../engine/container-lookup.ts";
import { type BerthError, isBerthError } from "../../errors.ts";
import { parseSignal } from "../../spec/signals.ts";
import type { Call } from "../call.ts";
import { boolParam, intParam, textParam } from "../query.ts";
import { HttpError } from "../status.ts";
import { refOf, withContainer } from "./container-ref.ts";
import { cpuForm, updateOf } from "./create-resources.ts";
import { resourceFields, restartPolicyShape } from "./create-shape.ts";
import type { DockerEngine } from "./engine.ts";
import { pruneLabels } from "./label-filter.ts";
import { untilOf } from "./prune-filters.ts";
import { checkShape } from "./wire-shape.ts";

/** 304 when it runs already, 409 when it is paused. */
export async function startContainer(engine: DockerEngine, call: Call): Promise<void> {
  await withContainer(engine, refOf(call), async ({ id }) => {
    const { state } = await engine.runtime.containerState(id);
    if (state === "running") {
      if ((await engine.runtime.inspectDetailed(id)).paused === true) throw new HttpError(409, "cannot start a paused container, try unpause instead");
      return call.empty(304);
    }
    try {
      await startOrDiscard(engine.runtime, id);
    } catch (error) {
      throw startFailure(error);
    }
    return call.empty(204);
  });
}

/** The docker command reads its exit code, 127 or 126, out of these words. */
function startFailure(error: unknown): unknown {
  if (!isBerthError(error, "start_failed")) return error;
  const { exitCode } = error.fields;
  const missing = /executable file not found|no such file or directory/;
  if (exitCode === 127 && !missing.test(error.message)) return new HttpError(400, `${error.message}: executable file not found in $PATH`, { cause: error });
  if (exitCode === 126 && !error.message.includes("permission denied")) return new HttpError(400, `${error.message}: permission denied`, { cause: error });
  return error;
}

/** 304 when it does not run. */
export async function stopContainer(engine: DockerEngine, call: Call): Promise<void> {
  const { timeoutMs, stopSignal } = stopParams(call);
  await withContainer(engine, refOf(call), async ({ id }) => {
    const { state } = await engine.runtime.containerState(id);
    if (state !== "running" && state !== "stopping" && state !== "initializing") return call.empty(304);
    await engine.runtime.stopContainer(id, timeoutMs, { stopSignal });
    return call.empty(204);
  });
}

export async function restartContainer(engine: DockerEngine, call: Call): Promise<void> {
  const { timeoutMs, stopSignal } = stopParams(call);
  await withContainer(engine, refOf(call), async ({ id }) => {
    try {
      await restart(engine.runtime, id, { timeoutMs, stopSignal });
    } catch (error) {
      throw startFailure(error);
    }
    call.empty(204);
  });
}

function stopParams(call: Call): { timeoutMs: number | undefined; stopSignal: string | undefined } {
  const seconds = intParam(call.query, "t");
  const stopSignal = call.apiVersion >= 42 ? textParam(call.query, "signal") : undefined;
  if (stopSignal !== undefined) checkSignal(stopSignal);
  return { timeoutMs: seconds === undefined ? undefined : seconds * 1000, stopSignal };
}

export async function killContainer(engine: DockerEngine, call: Call): Promise<void> {
  const ref = refOf(call);
  const signal = textParam(call.query, "signal");
  if (signal !== undefined) checkSignal(signal);
  await withContainer(engine, ref, async ({ id, hexId }) => {
    try {
      await engine.runtime.killContainer(id, signal ?? "SIGKILL", { anySignal: true });
    } catch (error) {
      throw isNotRunning(error) ? new HttpError(409, `cannot kill container: ${ref}: container ${hexId} is not running`, { cause: error }) : error;
    }
    call.empty(204);
  });
}

function checkSignal(signal: string): void {
  try {
    parseSignal(signal, { any: true });
  } catch (cause) {
    throw new HttpError(400, `invalid signal: ${signal}`, { cause });
  }
}

function isNotRunning(error: unknown): error is BerthError {
  return isBerthError(error, "conflict") && /not running/.test(error.message);
}

export async function pauseContainer(engine: DockerEngine, call: Call): Promise<void> {
  await withContainer(engine, refOf(call), async ({ id, hexId }) => {
    try {
      await engine.runtime.pauseContainer(id);
    } catch (error) {
      throw isNotRunning(error) ? new HttpError(409, `container ${hexId} is not running`, { cause: error }) : error;
    }
    call.empty(204);
  });
}

export async function unpauseContainer(engine: DockerEngine, call: Call): Promise<void> {
  await withContainer(engine, refOf(call), async ({ id }) => {
    await engine.runtime.unpauseContainer(id);
    call.empty(204);
  });
}

export async function renameContainer(engine: DockerEngine, call: Call): Promise<void> {
  const wanted = textParam(call.query, "name");
  if (wanted === undefined) throw new HttpError(400, "Neither old nor new names may be empty");
  if (!namePattern.test(wanted.replace(/^\//, ""))) {
    throw new HttpError(400, `Invalid container name (${wanted}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  }
  const name = checkName(wanted);
  await withContainer(engine, refOf(call), async ({ id }) => {
    try {
      await engine.runtime.renameContainer(id, name);
    } catch (error) {
      const holder = isBerthError(error, "conflict") ? (await engine.containers.list()).find((found) => found.name === name) : undefined;
      if (holder === undefined) throw error;
      const text = `Conflict. The container name "/${name}" is already in use by container "${holder.hexId}". You have to remove (or rename) that container to be able to reuse that name.`;
      throw new HttpError(409, text, { cause: error });
    }
    call.empty(204);
  });
}

export async function updateContainer(engine: DockerEngine, call: Call): Promise<void> {
  const sent = await call.json();
  checkShape(sent, { fields: { ...resourceFields, RestartPolicy: restartPolicyShape } }, "");
  const body = sent as ContainerUpdateBody;
  const update = updateOf(body);
  const warnings = await withContainer(engine, refOf(call), async ({ id, hexId }) => {
    const outcome = await engine.runtime.updateContainerResources(id, update);
    const asked = engine.requests.get(hexId);
    if (asked !== undefined) engine.requests.put(hexId, { ...asked, HostConfig: { ...asked.HostConfig, ...cpuForm(body) } });
    return outcome.warnings;
  });
  call.answer(200, { Warnings: warnings });
}

export async function resizeContainer(engine: DockerEngine, call: Call): Promise<void> {
  const { rows, cols } = sizeParams(call);
  await withContainer(engine, refOf(call), async ({ id, hexId }) => {
    const { state } = await engine.runtime.containerState(id);
    if (state !== "running") throw new HttpError(409, `container ${hexId} is not running`);
    await engine.runtime.extras?.resizeContainer?.(id, rows, cols);
    call.empty(200);
  });
}

export function sizeParams(call: Call): { readonly rows: number; readonly cols: number } {
  const [rows, cols] = [intParam(call.query, "h"), intParam(call.query, "w")];
  if (rows === undefined || rows < 0 || rows > 65_535) throw new HttpError(400, `invalid resize height "${call.query.get("h") ?? ""}"`);
  if (cols === undefined || cols < 0 || cols > 65_535) throw new HttpError(400, `invalid resize width "${call.query.get("w") ?? ""}"`);
  return { rows, cols };
}

/** Without `force` a running container stays. */
export async function removeContainer(engine: DockerEngine, call: Call): Promise<void> {
  const ref = refOf(call);
  if (boolParam(call.query, "link")) throw new HttpError(501, "links are not supported by this engine");
  await withContainer(engine, ref, async (found) => {
    if (!boolParam(call.query, "force")) await refuseRunning(engine, ref, found);
    await engine.runtime.removeContainer(found.id, { keepAnonymousVolumes: !boolParam(call.query, "v") });
    engine.requests.delete(found.hexId);
    call.empty(204);
  });
}

async function refuseRunning(engine: DockerEngine, ref: string, { id }: FoundContainer): Promise<void> {
  const { state } = await engine.runtime.containerState(id);
  if (state !== "running" && state !== "initializing") return;
  const { paused } = await engine.runtime.inspectDetailed(id);
  if (paused === true) throw new HttpError(409, `cannot remove container "${ref}": container is paused and must be unpaused first`);
  throw new HttpError(409, `cannot remove container "${ref}": container is running: stop the container before removing or force remove`);
}

export async function pruneContainers(engine: DockerEngine, call: Call): Promise<void> {
  const filters = decodeFilters(call.query.get("filters") ?? undefined);
  assertFilterKeys(filters, ["until", "label", "label!"]);
  const { deleted, spaceReclaimed } = await engine.runtime.pruneContainers({ until: untilOf(filters), labels: pruneLabels(filters) });
  for (const hexId of deleted) engine.requests.delete(hexId);
  call.answer(200, { ContainersDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: spaceReclaimed });
}
