/** The engine's words for a container's state as contract 1.2 has them. */
import type { ContainerStateReport } from "../../docker-api/container-inspect.ts";
import type { Received } from "../../docker-api/received.ts";
import type { ContainerState } from "../../runtime/types.ts";
import { number, text } from "./read.ts";

export function stateFromInspect(state: Received<ContainerStateReport> | null | undefined): ContainerState {
  const status = text(state?.Status) ?? (state?.Running === true ? "running" : "created");
  const error = text(state?.Error);
  switch (status) {
    case "running":
    case "paused":
      return { state: "running" };
    case "restarting":
      return { state: "initializing" };
    case "removing":
    // Podman's word while it stops one.
    case "stopping":
      return { state: "stopping" };
    // A start that failed leaves a container `created`, or `exited` when it had run before, with the reason beside it.
    case "exited":
    case "stopped":
      return error === undefined ? { state: "exited", code: number(state?.ExitCode) ?? 0 } : { state: "failed", reason: error };
    case "dead":
      return { state: "failed", reason: error ?? "container is dead" };
    default:
      return error === undefined ? { state: "pending" } : { state: "failed", reason: error };
  }
}

/** From a list, which has the exit code only in its text for people. `undefined` when the list does not tell enough. */
export function stateFromList(word: string | null | undefined, status: string | null | undefined): ContainerState | undefined {
  switch (word) {
    case "running":
    case "paused":
      return { state: "running" };
    case "restarting":
      return { state: "initializing" };
    case "removing":
    case "stopping":
      return { state: "stopping" };
    case "exited": {
      const code = /^Exited \((\d+)\)/.exec(status ?? "")?.[1];
      return code === undefined ? undefined : { state: "exited", code: Number(code) };
    }
    default:
      return undefined;
  }
}
