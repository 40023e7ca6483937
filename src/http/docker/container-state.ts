/** Our states in Docker's words (contract 1.2 and ). */
import type { ContainerStatusWord } from "../../docker-api/containers.ts";
import type { HealthReport } from "../../docker-api/container-inspect.ts";
import type { ContainerState, HealthDetail } from "../../runtime/types.ts";
import { humanDuration, rfc3339 } from "./times.ts";

export interface StateFacts {
  readonly state?: ContainerState | undefined;
  readonly paused?: boolean | undefined;
  readonly createdAt?: Date | undefined;
  readonly startedAt?: Date | undefined;
  readonly finishedAt?: Date | undefined;
  readonly health?: Pick<HealthDetail, "status"> | undefined;
}

export function statusWord({ state, paused, startedAt }: Pick<StateFacts, "state" | "paused" | "startedAt">): ContainerStatusWord {
  switch (state?.state) {
    case undefined:
    case "pending":
      return "created";
    case "initializing":
      return "restarting";
    case "running":
      return paused === true ? "paused" : "running";
    case "stopping":
      return "removing";
    case "exited":
      return "exited";
    case "failed":
      // A start that was tried and failed: Docker keeps such a container in `created`.
      return startedAt === undefined ? "created" : "exited";
    default:
      return state satisfies never;
  }
}

export function exitCodeOf(state: ContainerState | undefined, known: number | undefined): number {
  return state?.state === "exited" ? state.code : (known ?? 0);
}

/** `Up 3 minutes (healthy)`, `Exited (0) 2 hours ago`, `Created`. */
export function statusText(facts: StateFacts, exitCode: number, now = Date.now()): string {
  const word = statusWord(facts);
  const since = (date: Date | undefined): string => humanDuration(date === undefined ? 0 : Math.max(0, now - date.getTime()));
  switch (word) {
    case "running":
      return `Up ${since(facts.startedAt)}${healthText(facts.health)}`;
    case "paused":
      return `Up ${since(facts.startedAt)} (Paused)`;
    case "restarting":
      return `Restarting (${exitCode}) ${since(facts.finishedAt)} ago`;
    case "exited":
      return `Exited (${exitCode}) ${since(facts.finishedAt)} ago`;
    case "removing":
      return "Removal In Progress";
    case "dead":
      return "Dead";
    case "created":
      return "Created";
    default:
      return word satisfies never;
  }
}

function healthText(health: Pick<HealthDetail, "status"> | undefined): string {
  if (health === undefined || health.status === "none") return "";
  return health.status === "starting" ? " (health: starting)" : ` (${health.status})`;
}

export function healthReport(health: HealthDetail | undefined): HealthReport | undefined {
  if (health === undefined || health.status === "none") return undefined;
  return {
    Status: health.status,
    FailingStreak: health.failingStreak ?? 0,
    Log: (health.log ?? []).map(({ start, end, exitCode, output }) => ({ Start: rfc3339(start), End: rfc3339(end), ExitCode: exitCode, Output: output })),
  };
}
