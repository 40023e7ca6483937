/** What the outcome of a probe makes of a container's health (contract 1.3.8). Pure. */
import type { HealthDetail } from "../runtime/types.ts";
import type { HealthPlan } from "../spec/health-plan.ts";

/** How one probe went. Exit code 0 is healthy; 1 everything that is not. */
export interface ProbeOutcome {
  readonly start: Date;
  readonly end: Date;
  readonly exitCode: number;
  readonly output: string;
}

/** As Docker keeps. */
const keptProbes = 5;
const keptOutput = 4096;
/** While a container starts up it is looked at more often: whoever waits for `healthy` should not wait for an interval. */
const startIntervalMs = 1_000;

export function nextHealth(plan: HealthPlan, startedAt: Date, before: HealthDetail, probe: ProbeOutcome): HealthDetail {
  const output = probe.output.length > keptOutput ? `${probe.output.slice(0, keptOutput)}...` : probe.output;
  const log = [...(before.log ?? []), { ...probe, output }].slice(-keptProbes);
  if (probe.exitCode === 0) return { status: "healthy", failingStreak: 0, lastOutput: output, log };
  // Until it was healthy once, failures of the start period are what everybody expects.
  const isExpected = before.status === "starting" && probe.start.getTime() - startedAt.getTime() < plan.startPeriodMs;
  const failingStreak = isExpected ? 0 : (before.failingStreak ?? 0) + 1;
  return { status: failingStreak >= plan.retries ? "unhealthy" : before.status, failingStreak, lastOutput: output, log };
}

/** How long to wait before the next probe. */
export function probeDelayMs(plan: HealthPlan, startedAt: Date, health: HealthDetail, now: Date): number {
  const isStarting = health.status === "starting" && now.getTime() - startedAt.getTime() < plan.startPeriodMs;
  return isStarting ? Math.min(plan.intervalMs, startIntervalMs) : plan.intervalMs;
}
