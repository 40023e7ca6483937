import type { WaitCondition, WaitOutcome } from "../../runtime/types.ts";
import { isBerthError } from "../../errors.ts";
import type { Call } from "../call.ts";
import { textParam } from "../query.ts";
import { HttpError } from "../status.ts";
import { noSuchContainer, refOf, withContainer } from "./container-ref.ts";
import type { DockerEngine } from "./engine.ts";

/** POST /containers/{id}/wait: the header goes out at once, so that a client can start the container without a race. */
export async function waitContainer(engine: DockerEngine, call: Call): Promise<void> {
  const condition = conditionOf(call);
  const ref = refOf(call);
  await withContainer(engine, ref, async ({ id }) => {
    const signal = AbortSignal.any([call.signal, engine.closing]);
    const waiting = engine.runtime.waitOutcomeWithCondition(id, condition, { signal });
    // Whether the container is there must be known before the header says 200.
    const early = await Promise.race([settled(waiting), existence(engine, id)]);
    if (early === "missing") {
      waiting.catch(() => {});
      throw noSuchContainer(ref);
    }
    if (early instanceof Error) throw early;
    call.begin(200, "application/json");
    await finish(call, waiting);
  });
}

async function settled(waiting: Promise<unknown>): Promise<Error | "there"> {
  try {
    await waiting;
    return "there";
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

async function existence(engine: DockerEngine, id: Parameters<DockerEngine["runtime"]["containerState"]>[0]): Promise<"there" | "missing"> {
  try {
    await engine.runtime.containerState(id);
    return "there";
  } catch (error) {
    if (isBerthError(error, "not_found")) return "missing";
    throw error;
  }
}

async function finish(call: Call, waiting: Promise<WaitOutcome>): Promise<void> {
  try {
    const outcome = await waiting;
    await call.write(`${JSON.stringify({ StatusCode: outcome.exitCode })}\n`);
  } catch (error) {
    if (call.signal.aborted) return;
    await call.write(`${JSON.stringify({ StatusCode: 0, Error: { Message: error instanceof Error ? error.message : String(error) } })}\n`);
  }
  call.end();
}

function conditionOf(call: Call): WaitCondition {
  const text = call.apiVersion >= 30 ? textParam(call.query, "condition") : undefined;
  if (text === undefined || text === "not-running" || text === "next-exit" || text === "removed") return text ?? "not-running";
  throw new HttpError(400, `invalid condition: "${text}"`);
}
