/** Methods 4, 5, 6, 19, 28, 39 and 40. The engine serialises what it does to one container. */
import { setTimeout as delay } from "node:timers/promises";
import { isApiVersion } from "../../docker-api/api-version.ts";
import type { ContainerInspect } from "../../docker-api/container-inspect.ts";
import { EngineError } from "../../docker-api/engine-error.ts";
import type { Received } from "../../docker-api/received.ts";
import { BerthError } from "../../errors.ts";
import { assertSignal } from "../../runtime/derive.ts";
import { type ContainerId, containerIdToString } from "../../spec/container-id.ts";
import type { DockerContext } from "./context.ts";
import { stopSeconds } from "./create-body.ts";
import { isNoSuchContainer, type KnownContainer, noSuchContainer } from "./engine-ids.ts";
import { foreverSeconds } from "./podman.ts";
import { number, text } from "./read.ts";

export async function inspectEngine(ctx: DockerContext, engineId: string, signal?: AbortSignal): Promise<Received<ContainerInspect>> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ctx.client.object<ContainerInspect>("GET", `/containers/${engineId}/json`, { signal });
    } catch (thrown) {
      // Podman fails over a process that ends while it looks.
      const passes = thrown instanceof EngineError && /cgroup: no such process/.test(thrown.engineMessage);
      if (!passes || attempt === inspectAttempts) throw thrown;
      await delay(20);
    }
  }
}

const inspectAttempts = 5;

/** A change waits for the waits that were asked for before it. */
async function change<T>(ctx: DockerContext, id: ContainerId, call: (container: KnownContainer) => Promise<T>): Promise<T> {
  await ctx.waits.settled(containerIdToString(id));
  return await ctx.ids.use(id, undefined, call);
}

/** Mounting and setting up may take long on a busy engine. */
const startTimeoutMs = 300_000;

export async function startContainer(ctx: DockerContext, id: ContainerId): Promise<void> {
  await change(ctx, id, async ({ engineId }) => {
    try {
      await ctx.client.done("POST", `/containers/${engineId}/start`, { timeoutMs: startTimeoutMs });
    } catch (thrown) {
      throw await startFailure(ctx, id, engineId, thrown);
    }
  });
}

/** The engine answers 400 for a bad command, 404 for a missing one, 409 for a port; 500 for anything. */
async function startFailure(ctx: DockerContext, id: ContainerId, engineId: string, thrown: unknown): Promise<unknown> {
  if (!(thrown instanceof EngineError) || isNoSuchContainer(thrown)) return thrown;
  const { engineMessage } = thrown;
  if (/paused|marked for removal|being removed|removal of container|must be in Created or Stopped state/i.test(engineMessage))
    return new BerthError("conflict", engineMessage, { cause: thrown });
  const key = containerIdToString(id);
  return new BerthError("start_failed", `cannot start container ${key}: ${engineMessage}`, {
    id: key,
    reason: engineMessage,
    exitCode: (await recordedExitCode(ctx, engineId)) || toldExitCode(engineMessage),
    cause: thrown,
  });
}

/** `undefined` when the container is gone: with `deleteOnExit` a start that fails removes it. */
async function recordedExitCode(ctx: DockerContext, engineId: string): Promise<number | undefined> {
  try {
    const { State: state } = await inspectEngine(ctx, engineId);
    return number(state?.ExitCode);
  } catch (thrown) {
    if (isNoSuchContainer(thrown)) return undefined;
    throw thrown;
  }
}

/** As the docker command reads the engine's words. */
function toldExitCode(engineMessage: string): number {
  if (/not found|no such file or directory/i.test(engineMessage)) return 127;
  return /permission denied|is a directory/i.test(engineMessage) ? 126 : 128;
}

const defaultStopMs = 10_000;
/** Beyond the grace period: the engine kills, and waits for the end. */
const killPatienceMs = 60_000;

export async function stopContainer(ctx: DockerContext, id: ContainerId, timeoutMs: number | undefined, stopSignal: string | undefined): Promise<void> {
  const signal = stopSignal === undefined ? undefined : assertSignal(stopSignal, { anySignal: true }).name;
  await change(ctx, id, async (container) => {
    const ms = timeoutMs ?? container.spec?.stopGracePeriodMs ?? defaultStopMs;
    const seconds = stopSeconds(ms);
    if (signal !== undefined && !isApiVersion(ctx.facts.apiVersion, "1.42")) {
      if (!(await signalFirst(ctx, container.engineId, signal, seconds))) return;
      return await stop(ctx, container.engineId, 0, undefined);
    }
    await stop(ctx, container.engineId, seconds, signal);
  });
}

async function stop(ctx: DockerContext, engineId: string, seconds: number, signal: string | undefined): Promise<void> {
  const timeoutMs = seconds < 0 ? 0 : seconds * 1000 + killPatienceMs;
  const query = { t: seconds < 0 && ctx.facts.isPodman ? foreverSeconds : seconds, signal };
  const send = (): Promise<number> => ctx.client.done("POST", `/containers/${engineId}/stop`, { query, timeoutMs });
  try {
    await send();
  } catch (thrown) {
    // Podman stops nothing that is paused.
    if (!(thrown instanceof EngineError && /running or paused, refusing/.test(thrown.engineMessage))) throw thrown;
    await ctx.client.done("POST", `/containers/${engineId}/unpause`);
    await send();
  }
}

/** The engine's own restart, told as one. With a signal of the caller's, engines before API 1.42 are asked for a stop and a start. */
export async function restartContainer(
  ctx: DockerContext,
  id: ContainerId,
  o: { readonly timeoutMs?: number | undefined; readonly stopSignal?: string | undefined },
): Promise<void> {
  const signal = o.stopSignal === undefined ? undefined : assertSignal(o.stopSignal, { anySignal: true }).name;
  if (signal !== undefined && !isApiVersion(ctx.facts.apiVersion, "1.42")) {
    await stopContainer(ctx, id, o.timeoutMs, signal);
    return await startContainer(ctx, id);
  }
  await change(ctx, id, async ({ engineId, spec }) => {
    const seconds = stopSeconds(o.timeoutMs ?? spec?.stopGracePeriodMs ?? defaultStopMs);
    const timeoutMs = seconds < 0 ? 0 : seconds * 1000 + startTimeoutMs;
    try {
      await ctx.client.done("POST", `/containers/${engineId}/restart`, { query: { t: seconds, signal }, timeoutMs });
    } catch (thrown) {
      throw await startFailure(ctx, id, engineId, thrown);
    }
  });
}

/** Engines before API 1.42 stop with the container's own signal only. `false` = it does not run any more. */
async function signalFirst(ctx: DockerContext, engineId: string, signal: string, seconds: number): Promise<boolean> {
  try {
    await ctx.client.done("POST", `/containers/${engineId}/kill`, { query: { signal } });
  } catch (thrown) {
    if (isNotRunning(thrown)) return false;
    throw thrown;
  }
  const patience = seconds < 0 ? undefined : AbortSignal.timeout(seconds * 1000);
  try {
    await ctx.client.done("POST", `/containers/${engineId}/wait`, { query: { condition: "not-running" }, timeoutMs: 0, signal: patience });
    return false;
  } catch (thrown) {
    if (patience?.aborted === true) return true;
    throw thrown;
  }
}

export async function killContainer(ctx: DockerContext, id: ContainerId, signal: string | undefined, anySignal: boolean): Promise<void> {
  const { name, number: value } = assertSignal(signal ?? "KILL", { anySignal });
  await change(ctx, id, async ({ engineId }) => {
    try {
      // Real-time signals have names of their own in every engine; their numbers are the same.
      if (name === "SIGKILL" && ctx.facts.isPodman) await thaw(ctx, engineId);
      await ctx.client.done("POST", `/containers/${engineId}/kill`, { query: { signal: value < 32 ? name : value } });
    } catch (thrown) {
      throw isNotRunning(thrown) ? notRunning(id, thrown) : thrown;
    }
    if (name === "SIGKILL") await ctx.client.done("POST", `/containers/${engineId}/wait`, { query: { condition: "not-running" }, timeoutMs: killPatienceMs });
  });
}

/** Podman waits for the end of what it kills and leaves it frozen meanwhile. */
async function thaw(ctx: DockerContext, engineId: string): Promise<void> {
  if ((await inspectEngine(ctx, engineId)).State?.Paused === true) await ctx.client.done("POST", `/containers/${engineId}/unpause`);
}

/** dockerd says 409, older ones and Podman 500. */
export function isNotRunning(thrown: unknown): boolean {
  return (
    thrown instanceof EngineError && thrown.status !== 404 && /is not running|not running|state improper|can only kill running/i.test(thrown.engineMessage)
  );
}

function notRunning(id: ContainerId, cause: unknown): BerthError {
  const container = containerIdToString(id);
  return new BerthError("conflict", `container ${container} is not running`, { container, cause });
}

export async function removeContainer(ctx: DockerContext, id: ContainerId, keepAnonymousVolumes: boolean): Promise<void> {
  await change(ctx, id, async ({ engineId }) => {
    try {
      await sendRemoval(ctx, engineId, !keepAnonymousVolumes);
    } catch (thrown) {
      throw await removalFailure(ctx, id, engineId, thrown);
    }
    ctx.ids.forget(id);
  });
}

async function sendRemoval(ctx: DockerContext, engineId: string, volumes: boolean): Promise<void> {
  const path = `/containers/${engineId}`;
  if (!ctx.facts.isPodman) return void (await ctx.client.done("DELETE", path, { query: { force: 1, v: volumes ? 1 : 0 }, timeoutMs: startTimeoutMs }));
  // By Docker's path Podman would first stop it, for as long as a stop may take; one that goes on already it would wait out.
  if ((await inspectEngine(ctx, engineId)).State?.Status === "stopping") await ctx.client.done("POST", `/libpod${path}/kill`, { query: { signal: "KILL" } });
  await ctx.client.done("DELETE", `/libpod${path}`, { query: { force: true, timeout: 0, volumes }, timeoutMs: startTimeoutMs });
}

/** Somebody else's removal may have won: then the second one finds nothing. */
async function removalFailure(ctx: DockerContext, id: ContainerId, engineId: string, thrown: unknown): Promise<unknown> {
  if (!(thrown instanceof EngineError) || thrown.status !== 409) return thrown;
  try {
    await inspectEngine(ctx, engineId);
    return thrown;
  } catch (gone) {
    return isNoSuchContainer(gone) ? noSuchContainer(id, thrown) : thrown;
  }
}

const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

export async function renameContainer(ctx: DockerContext, id: ContainerId, newName: string): Promise<void> {
  const name = newName.trim().replace(/^\//, "");
  if (!namePattern.test(name)) throw new BerthError("invalid_spec", `${JSON.stringify(newName)} is not a container name; it must match ${namePattern.source}`);
  await change(ctx, id, async ({ engineId }) => {
    const current = text((await inspectEngine(ctx, engineId)).Name)?.replace(/^\//, "");
    if (current === name) throw new BerthError("invalid_spec", `container ${containerIdToString(id)} has the name ${name} already`);
    try {
      await ctx.client.done("POST", `/containers/${engineId}/rename`, { query: { name } });
    } catch (thrown) {
      if (thrown instanceof EngineError && /already in use/i.test(thrown.engineMessage))
        throw new BerthError("conflict", thrown.engineMessage, { cause: thrown });
      throw thrown;
    }
  });
}

/** dockerd says 500 for unpausing what is not paused, Podman for both. */
export async function setPaused(ctx: DockerContext, id: ContainerId, paused: boolean): Promise<void> {
  await change(ctx, id, async ({ engineId }) => {
    try {
      await ctx.client.done("POST", `/containers/${engineId}/${paused ? "pause" : "unpause"}`);
    } catch (thrown) {
      const wrongState =
        thrown instanceof EngineError && /not paused|already paused|not running|restarting|is paused|state improper|can.?t pause/i.test(thrown.engineMessage);
      throw wrongState ? new BerthError("conflict", thrown.engineMessage, { container: containerIdToString(id), cause: thrown }) : thrown;
    }
  });
}
