import { containerIdToString } from "../../spec/container-id.ts";
import { familiarName } from "../../spec/reference.ts";
import type { PortMappingEntry, RuntimeContainerSummary } from "../../runtime/types.ts";
import type { Row } from "./rows.ts";
import { truncate } from "./table.ts";
import { humanDuration, timeAgo } from "./time.ts";

export const containerTitles = {
  ID: "CONTAINER ID",
  Image: "IMAGE",
  Command: "COMMAND",
  RunningFor: "CREATED",
  Status: "STATUS",
  Ports: "PORTS",
  Names: "NAMES",
  State: "STATE",
  CreatedAt: "CREATED AT",
  Labels: "LABELS",
} as const;

export const containerColumns = ["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"] as const;

/** One line of `ps`, every column as text. `full` prints ids and commands whole. */
export function containerRow(container: RuntimeContainerSummary, full: boolean, now: number): Row {
  const command = `"${(container.command ?? []).join(" ")}"`;
  return {
    ID: shownId(container, full),
    Image: familiarName(container.image ?? "").replace(/:latest$/, ""),
    Command: full ? command : truncateCommand(command),
    RunningFor: timeAgo(container.createdAt, now),
    Status: statusText(container, now),
    Ports: portsText(container.ports ?? []),
    Names: container.name ?? container.runtimeId,
    State: dockerState(container),
    CreatedAt: container.createdAt?.toISOString() ?? "",
    Labels: Object.entries(container.labels ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
  };
}

export function shownId(container: RuntimeContainerSummary, full: boolean): string {
  const id = container.hexId ?? (container.containerId ? containerIdToString(container.containerId) : container.runtimeId);
  return full || container.hexId === undefined ? id : id.slice(0, 12);
}

function truncateCommand(quoted: string): string {
  const inside = quoted.slice(1, -1);
  return `"${truncate(inside.replaceAll(/[\r\n]+/g, " "), 20)}"`;
}

/** Docker's word for the state: created, running, paused, restarting, removing, exited, dead. */
export function dockerState(container: Pick<RuntimeContainerSummary, "state" | "paused">): string {
  switch (container.state?.state) {
    case "running":
      return container.paused ? "paused" : "running";
    case "initializing":
      return "restarting";
    case "stopping":
      return "removing";
    case "exited":
      return "exited";
    case "failed":
      return "dead";
    case "pending":
    case undefined:
      return "created";
    default:
      return container.state satisfies never;
  }
}

/** `Up 2 minutes (Paused)`, `Exited (0) 3 hours ago`, `Created`, … */
export function statusText(container: RuntimeContainerSummary, now: number): string {
  const { state, startedAt, finishedAt } = container;
  const since = (at: Date | undefined): string => (at === undefined ? "" : humanDuration(Math.max(0, now - at.getTime())));
  switch (state?.state) {
    case "running":
      return `Up ${since(startedAt)}${container.paused ? " (Paused)" : healthText(container.health)}`.trim();
    case "initializing":
      return "Restarting";
    case "stopping":
      return "Stopping";
    case "exited":
      return `Exited (${state.code})${finishedAt === undefined ? "" : ` ${since(finishedAt)} ago`}`;
    case "failed":
      return `Failed: ${truncate(state.reason.replaceAll(/\s+/g, " "), 60)}`;
    case "pending":
    case undefined:
      return "Created";
    default:
      return state satisfies never;
  }
}

function healthText(health: RuntimeContainerSummary["health"]): string {
  if (health === undefined || health === "none") return "";
  return health === "starting" ? " (health: starting)" : ` (${health})`;
}

/** `0.0.0.0:8080->80/tcp, 53/udp`. */
export function portsText(ports: readonly PortMappingEntry[]): string {
  return ports
    .map(({ hostIp, hostPort, containerPort, protocol }) => {
      const inside = `${containerPort}/${protocol}`;
      if (hostPort === undefined) return inside;
      const host = hostIp?.includes(":") ? `[${hostIp}]` : (hostIp ?? "0.0.0.0");
      return `${host}:${hostPort}->${inside}`;
    })
    .join(", ");
}
