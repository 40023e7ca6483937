/** GET /events */
import type { EventMessage } from "../../docker-api/events.ts";
import { assertFilterKeys, decodeFilters, type Filters } from "../../docker-api/filters.ts";
import { UnsupportedError } from "../../errors.ts";
import type { RuntimeEvent } from "../../runtime/extras.ts";
import type { Call } from "../call.ts";
import { timeParam } from "../query.ts";
import type { DockerEngine } from "./engine.ts";
import { withIdLabel } from "./id-label.ts";
import { matchesLabels } from "../../runtime/label-filter.ts";

const known = ["config", "container", "daemon", "event", "image", "label", "network", "node", "plugin", "scope", "secret", "service", "type", "volume"];

export async function events(engine: DockerEngine, call: Call): Promise<void> {
  const { query } = call;
  const filters = decodeFilters(query.get("filters") ?? undefined);
  assertFilterKeys(filters, known);
  const [since, until] = [timeParam(query, "since"), timeParam(query, "until")];
  const { events: open } = engine.runtime.extras ?? {};
  if (open === undefined) throw new UnsupportedError("events", engine.runtime.backend, "it tells no events");
  const signal = AbortSignal.any([call.signal, engine.closing]);
  const stream = await open({
    since: since === undefined ? undefined : new Date(since * 1000),
    until: until === undefined ? undefined : new Date(until * 1000),
    signal,
  });
  call.begin(200, "application/json");
  try {
    for await (const event of stream) {
      const message = eventMessage(event);
      if (!matches(message, filters)) continue;
      const wait = call.write(`${JSON.stringify(message)}\n`);
      if (wait !== undefined) await wait;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  call.end();
}

export function eventMessage({ type, action, actor, time, containerId }: RuntimeEvent): EventMessage {
  const ms = time.getTime();
  const legacy =
    type === "container" ? { status: action, id: actor.id, from: actor.attributes["image"] ?? "" } : type === "image" ? { status: action, id: actor.id } : {};
  return {
    ...legacy,
    Type: type,
    Action: action,
    Actor: { ID: actor.id, Attributes: containerId === undefined ? actor.attributes : withIdLabel(actor.attributes, containerId) },
    scope: "local",
    time: Math.floor(ms / 1000),
    timeNano: ms * 1_000_000,
  };
}

function matches({ Type, Action, Actor, scope }: EventMessage, filters: Filters): boolean {
  const has = (key: string, test: (value: string) => boolean): boolean => filters[key] === undefined || filters[key].length === 0 || filters[key].some(test);
  const names = (type: string) => (value: string) =>
    Type === type && (Actor.ID === value || (value.length >= 12 && Actor.ID.startsWith(value)) || Actor.Attributes["name"] === value.replace(/^\//, ""));
  return (
    has("type", (value) => value === Type) &&
    has("scope", (value) => value === scope) &&
    has("event", (value) => Action === value || Action.startsWith(`${value}:`)) &&
    has("container", (value) => names("container")(value) || Actor.Attributes["container"] === value) &&
    has("image", (value) => names("image")(value) || (Type === "container" && Actor.Attributes["image"] === value)) &&
    has("network", names("network")) &&
    has("volume", names("volume")) &&
    has("daemon", names("daemon")) &&
    ["config", "node", "plugin", "secret", "service"].every((key) => has(key, () => false)) &&
    matchesLabels(Actor.Attributes, filters["label"] ?? [])
  );
}
