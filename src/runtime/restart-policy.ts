/** When an ended container is started again (contract 1.3.7). Pure; every backend that keeps exits decides by it. */
import type { RestartPolicy } from "../spec/service-spec.ts";

const firstDelayMs = 100;
const longestDelayMs = 60_000;
/** A run of this length makes the next delay the first one again. */
const healthyRunMs = 10_000;

export interface EndedRun {
  readonly exitCode: number;
  /** How long it ran; 0 for a start that failed. */
  readonly ranMs: number;
  /** Its end was the user's wish: a stop, a SIGKILL or the stop signal. */
  readonly stoppedByUser: boolean;
  /** Its health check had found it unhealthy. */
  readonly isUnhealthy: boolean;
  /** How often the policy has restarted it since the user did. */
  readonly restarts: number;
  /** What the policy waited for before this run; absent when the user started it. */
  readonly lastDelayMs?: number | undefined;
}

/** How long to wait before the next start, in milliseconds; `undefined` when it stays as it is. */
export function restartDelayMs(policy: RestartPolicy, run: EndedRun): number | undefined {
  if (!wantsRestart(policy, run)) return undefined;
  const first = typeof policy.delay === "number" ? policy.delay : firstDelayMs;
  if (run.lastDelayMs === undefined || (run.ranMs >= healthyRunMs && !run.isUnhealthy)) return first;
  return Math.min(run.lastDelayMs * 2, Math.max(longestDelayMs, first));
}

function wantsRestart({ kind, maxAttempts }: RestartPolicy, run: EndedRun): boolean {
  if (run.stoppedByUser) return false;
  switch (kind) {
    case "no":
      return false;
    case "always":
    case "unless_stopped":
      return true;
    case "on_failure":
      return run.exitCode !== 0 && (maxAttempts === undefined || maxAttempts === 0 || run.restarts < maxAttempts);
    default:
      return kind satisfies never;
  }
}

/** Whether the start of a daemon brings it back although the user had stopped it. */
export function resumesAtBoot(policy: RestartPolicy, run: { readonly stoppedByUser: boolean }): boolean {
  return policy.kind === "always" && run.stoppedByUser;
}
