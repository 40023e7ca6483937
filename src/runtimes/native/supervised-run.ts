/** What a run's record says of restarts and health. */
import { restartDelayMs } from "../../runtime/restart-policy.ts";
import type { HealthDetail } from "../../runtime/types.ts";
import { type HealthPlan, healthPlan } from "../../spec/health-plan.ts";
import type { ContainerRecord, ContainerRun } from "./container-store.ts";
import type { NativeContext } from "./context.ts";

/** Ended, but its policy starts it again. */
export function isRestartPending({ run }: ContainerRecord): boolean {
  return run.restartAt !== undefined && (run.status === "exited" || run.status === "failed");
}

/** What the end of a run or a failed start means for the next one. */
export function restartFields(record: ContainerRecord, ended: ContainerRun): Pick<ContainerRun, "restartAt" | "restartDelayMs"> {
  const finishedAt = ended.finishedAt ?? Date.now();
  const delayMs = restartDelayMs(record.facts.spec.restartPolicy, {
    exitCode: ended.exitCode ?? 0,
    ranMs: ended.status === "failed" || ended.startedAt === undefined ? 0 : finishedAt - ended.startedAt,
    stoppedByUser: ended.stoppedByUser === true,
    isUnhealthy: ended.health?.status === "unhealthy",
    restarts: ended.restarts ?? 0,
    lastDelayMs: ended.restartDelayMs,
  });
  return delayMs === undefined ? { restartAt: undefined, restartDelayMs: undefined } : { restartAt: finishedAt + delayMs, restartDelayMs: delayMs };
}

export function planOf(ctx: NativeContext, record: ContainerRecord): HealthPlan | undefined {
  return healthPlan(record.facts.spec.health, ctx.images.configOf(record.imageId)?.config.healthcheck);
}

/** From the record's JSON, where instants are texts. */
export function healthOf(run: ContainerRun): HealthDetail | undefined {
  if (run.health === undefined) return undefined;
  return { ...run.health, log: run.health.log?.map((probe) => ({ ...probe, start: new Date(probe.start), end: new Date(probe.end) })) };
}
