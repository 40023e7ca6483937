/** The labels by which Berth knows its containers on an engine that it shares with others. */
import { containerIdLabel, type ContainerId, containerIdToString, idLabel, parseContainerId } from "../../spec/container-id.ts";
import { completeSpec } from "../../spec/complete-spec.ts";
import { isRecord } from "../../spec/descriptor.ts";
import type { CompleteSpec, ServiceSpec } from "../../spec/service-spec.ts";
import { stringRecord } from "./read.ts";

/** The description as completed at create; variables from the engine's environment stay names. */
const specLabel = "dev.berth.spec";
const warningsLabel = "dev.berth.warnings";
const portLabel = "dev.berth.port";

const ownLabels: readonly string[] = [idLabel, specLabel, warningsLabel, portLabel];

type ReceivedLabels = Readonly<Record<string, string | null | undefined>> | null | undefined;

export interface Stamp {
  readonly id: ContainerId;
  readonly spec: CompleteSpec;
  readonly warnings: readonly string[];
  readonly port?: number | undefined;
}

/** The caller's labels win but for the one that says whose the container is. */
export function stampedLabels({ id, spec, warnings, port }: Stamp): Readonly<Record<string, string>> {
  const { labels } = spec;
  return {
    [specLabel]: JSON.stringify({ ...storedSpec(spec), labels: Object.keys(labels) }),
    ...(warnings.length === 0 ? {} : { [warningsLabel]: JSON.stringify(warnings) }),
    ...(port === undefined ? {} : { [portLabel]: String(port) }),
    ...labels,
    [idLabel]: containerIdToString(id),
  };
}

export function ownIdOf(labels: ReceivedLabels): ContainerId | undefined {
  const text = labels?.[idLabel];
  return typeof text === "string" ? parseContainerId(text) : undefined;
}

/** What is kept about a container of ours beside what the engine says; everything absent for one that somebody else labelled. */
export function stampOf(labels: ReceivedLabels): { readonly spec?: CompleteSpec | undefined; readonly warnings: readonly string[]; readonly port?: number } {
  const spec = specOf(labels);
  const warnings = parsed(labels?.[warningsLabel]);
  const port = Number(labels?.[portLabel] || Number.NaN);
  return {
    ...(spec === undefined ? {} : { spec }),
    warnings: Array.isArray(warnings) ? warnings.filter((one) => typeof one === "string") : [],
    ...(Number.isInteger(port) ? { port } : {}),
  };
}

/** The labels without ours: a container's own, and its image's. */
export function visibleLabels(labels: ReceivedLabels): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(stringRecord(labels)).filter(([key]) => !ownLabels.includes(key)));
}

/** Those of ours that are there, without their values: what carries them so is nobody's. */
export function emptiedOwnLabels(labels: ReceivedLabels): Readonly<Record<string, string>> {
  return Object.fromEntries(ownLabels.filter((key) => typeof labels?.[key] === "string").map((key) => [key, ""]));
}

/** Value of `dev.berth.container_id`; the engine's id for our containers that came without; absent for foreign ones. */
export function publicIdLabel(labels: ReceivedLabels, engineId: string): string | undefined {
  return labels?.[containerIdLabel] ?? (ownIdOf(labels) === undefined ? undefined : engineId);
}

/** The labels themselves stand beside it, so only their names are kept. */
function specOf(labels: ReceivedLabels): CompleteSpec | undefined {
  const json = parsed(labels?.[specLabel]);
  if (!isRecord(json) || !Array.isArray(json["labels"])) return undefined;
  const keys: readonly unknown[] = json["labels"];
  const own = Object.entries(stringRecord(labels)).filter(([key]) => keys.includes(key));
  try {
    return completeSpec({ ...json, labels: Object.fromEntries(own) } as ServiceSpec).spec;
  } catch {
    // Another tool wrote the label, or another version of Berth whose fields this one does not know.
    return undefined;
  }
}

/** A completed description in the form it was given in, with the names of what comes from elsewhere. */
function storedSpec({ stopGracePeriodMs, deleteOnExit, ...rest }: CompleteSpec): ServiceSpec {
  return { ...rest, stopGracePeriod: stopGracePeriodMs, lifecycle: { deleteOnExit } };
}

function parsed(json: string | null | undefined): unknown {
  if (typeof json !== "string") return undefined;
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
