/** Clients that are Berth themselves know their containers by this label, as on any other engine. */
import { type ContainerId, containerIdToString, idLabel, parseContainerId } from "../../spec/container-id.ts";

/** Added to what inspect, list and events show. */
export function withIdLabel(labels: Readonly<Record<string, string>> | undefined, id: ContainerId): Readonly<Record<string, string>> {
  return { ...labels, [idLabel]: containerIdToString(id) };
}

/** The id a client chose at create; `undefined` when the label is absent or no id. */
export function idFromLabel(labels: Readonly<Record<string, string>> | null | undefined): ContainerId | undefined {
  const text = labels?.[idLabel];
  return text === undefined ? undefined : parseContainerId(text);
}
