/** Methods 11, 17 and 18. */
import type { ContainerWaitAnswer } from "../../docker-api/containers.ts";
import { readText } from "../../docker-api/answer-body.ts";
import type { EventMessage } from "../../docker-api/events.ts";
import { encodeFilters } from "../../docker-api/filters.ts";
import { jsonLines, parseJson } from "../../docker-api/json-lines.ts";
import type { Received } from "../../docker-api/received.ts";
import { BerthError } from "../../errors.ts";
import { outcomeFromExit } from "../../runtime/derive.ts";
import type { WaitCondition, WaitOutcome } from "../../runtime/types.ts";
import { type ContainerId, containerIdToString } from "../../spec/container-id.ts";
import { isRecord } from "../../spec/descriptor.ts";
import type { DockerContext } from "./context.ts";
import { isNoSuchContainer, type KnownContainer } from "./engine-ids.ts";
import { isRunning } from "./inspect.ts";
import { inspectEngine } from "./lifecycle.ts";
import { instant, number, stringRecord, text } from "./read.ts";

/** Registered with the engine before anything that is asked for later may change the container. */
export function waitFor(ctx: DockerContext, id: ContainerId, condition: WaitCondition, signal: AbortSignal | undefined): Promise<WaitOutcome> {
  const registered = Promise.withResolvers<void>();
  ctx.waits.add(containerIdToString(id), registered.promise);
  const outcome = ctx.ids.use(id, signal, (container) => waitEngine(ctx, container, condition, signal, registered.resolve));
  return outcome.finally(registered.resolve);
}

async function waitEngine(
  ctx: DockerContext,
  container: KnownContainer,
  condition: WaitCondition,
  signal: AbortSignal | undefined,
  onRegistered: () => void,
): Promise<WaitOutcome> {
  return await outcomeOf(ctx, container.engineId, await codeOf(ctx, container, condition, signal, onRegistered));
}

async function codeOf(...[ctx, container, condition, signal, onRegistered]: Parameters<typeof waitEngine>): Promise<number> {
  const { engineId } = container;
  if (ctx.facts.isPodman) return await podmanCode(ctx, container, condition, signal, onRegistered);
  if (condition === "next-exit") return await nextExit(ctx, engineId, signal, onRegistered);
  return await exitCode(ctx, engineId, condition, signal, onRegistered);
}

/**
 * Podman's waits answer before they look, look now and then, and tell of a removal no code: only its events hold every end. They
 * cost more than a wait, which is enough for a container that nobody starts again.
 */
async function podmanCode(...[ctx, { engineId, spec }, condition, signal, onRegistered]: Parameters<typeof waitEngine>): Promise<number> {
  const since = (Date.now() / 1000).toFixed(3);
  const found = await inspectEngine(ctx, engineId, signal);
  const restarts = isRunning(found) && spec !== undefined && spec.restartPolicy.kind !== "no";
  const byRemoval = isRunning(found) ? 137 : (number(found.State?.ExitCode) ?? 0);
  if (condition === "not-running" && !restarts) {
    const code = await exitCode(ctx, engineId, condition, signal, onRegistered);
    return code === -1 ? byRemoval : code;
  }
  const filters = encodeFilters({ type: ["container"], container: [engineId], event: ["died", "remove"] });
  const { body } = await ctx.client.stream("GET", "/events", { query: { since, filters }, signal, timeoutMs: 0 });
  onRegistered();
  let code = byRemoval;
  for await (const line of jsonLines(body)) {
    const { Action: action, Actor: actor } = line as Received<EventMessage>;
    if (action === "remove") return code;
    code = Number(stringRecord(actor?.Attributes)["containerExitCode"] ?? 0);
    if (condition !== "removed") return code;
  }
  throw new BerthError("internal", "the engine's events ended before the container did");
}

/** The engine wakes a wait for the next exit only by an exit; a removal has to be waited for beside it. */
async function nextExit(ctx: DockerContext, engineId: string, signal: AbortSignal | undefined, onRegistered: () => void): Promise<number> {
  const done = new AbortController();
  const either = signal === undefined ? done.signal : AbortSignal.any([signal, done.signal]);
  let missing = 2;
  const registered = (): void => {
    missing -= 1;
    if (missing === 0) onRegistered();
  };
  try {
    const waits = [exitCode(ctx, engineId, "next-exit", either, registered), exitCode(ctx, engineId, "removed", either, registered)];
    for (const wait of waits) wait.catch(() => {});
    return await Promise.race(waits);
  } finally {
    done.abort();
  }
}

async function exitCode(
  ctx: DockerContext,
  engineId: string,
  condition: WaitCondition,
  signal: AbortSignal | undefined,
  onRegistered: () => void,
): Promise<number> {
  // The head of the answer comes as soon as the engine has taken the wait, the body at the end.
  const { body } = await ctx.client.stream("POST", `/containers/${engineId}/wait`, { query: { condition }, signal, timeoutMs: 0 });
  onRegistered();
  const answer = parseJson(await readText(body, 64 * 1024));
  const code = isRecord(answer) ? answer["StatusCode" satisfies keyof ContainerWaitAnswer] : undefined;
  if (typeof code !== "number") throw new BerthError("internal", `the engine's answer to a wait names no code: ${JSON.stringify(answer).slice(0, 200)}`);
  return code;
}

async function outcomeOf(ctx: DockerContext, engineId: string, code: number): Promise<WaitOutcome> {
  try {
    const { State: state } = await inspectEngine(ctx, engineId);
    const error = text(state?.Error);
    // A new run has begun meanwhile: what the engine says now is about that one.
    if (state?.Running === true) return outcomeFromExit({ code });
    const status = text(state?.Status);
    const failed = error !== undefined && (status === "created" || status === "exited");
    return outcomeFromExit({
      code: failed ? (number(state?.ExitCode) ?? code) : code,
      oomKilled: state?.OOMKilled === true,
      error: failed ? error : undefined,
      finishedAt: instant(state?.FinishedAt),
    });
  } catch (thrown) {
    if (isNoSuchContainer(thrown)) return outcomeFromExit({ code });
    throw thrown;
  }
}
