/** Events as Docker prints them. */
import type { RuntimeEvent } from "../../runtime/extras.ts";
import { nanoTimestamp } from "./time.ts";

/** `2026-01-02T03:04:05.678000000Z container start 1f2e… (image=alpine, name=web)`. */
export function eventLine({ time, type, action, actor }: RuntimeEvent): string {
  const attributes = Object.entries(actor.attributes)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);
  return `${nanoTimestamp(time)} ${type} ${action} ${actor.id}${attributes.length === 0 ? "" : ` (${attributes.join(", ")})`}`;
}

/** The JSON of Docker's events. */
export function eventRecord({ time, type, action, actor }: RuntimeEvent) {
  const isContainer = type === "container";
  return {
    ...(isContainer || type === "image" ? { status: action, id: actor.id } : {}),
    ...(isContainer ? { from: actor.attributes["image"] ?? "" } : {}),
    Type: type,
    Action: action,
    Actor: { ID: actor.id, Attributes: actor.attributes },
    scope: "local",
    time: Math.floor(time.getTime() / 1000),
    timeNano: time.getTime() * 1e6,
  };
}
