/** `extras.events`: the engine's own events in ours' shape. */
import { createHash } from "node:crypto";
import { encodeFilters } from "../../docker-api/filters.ts";
import type { EventMessage } from "../../docker-api/events.ts";
import { jsonLines } from "../../docker-api/json-lines.ts";
import type { Received } from "../../docker-api/received.ts";
import { BerthError } from "../../errors.ts";
import { guardedStream } from "../../runtime/guarded-stream.ts";
import type { EventsOptions, RuntimeEvent } from "../../runtime/extras.ts";
import { isRecord } from "../../spec/descriptor.ts";
import { signalOfExitCode } from "../../spec/signals.ts";
import type { DockerContext } from "./context.ts";
import { ownIdOf, visibleLabels } from "./labels.ts";
import { dockerAction } from "./podman.ts";
import { number, stringRecord } from "./read.ts";
import { releasing } from "./releasing.ts";

/** Where to resume: the engine's nanoseconds as far as a number holds them, and which of that moment's events it was. */
interface Cursor {
  readonly timeNano: number;
  readonly identity: string;
}

const types = ["container", "image", "network", "volume", "daemon"] as const;
/** What is left of a millisecond as far as a number near today's nanoseconds holds it. */
const lastOfMillisecondNs = 999_000;
/** Numbers near today's nanoseconds stand 256 apart. */
const roundingNs = 1024;

export async function engineEvents(ctx: DockerContext, o: EventsOptions): Promise<AsyncIterable<RuntimeEvent>> {
  const after = typeof o.since === "string" ? parseCursor(o.since) : undefined;
  const since = after === undefined ? (o.since instanceof Date ? unixTime(o.since.getTime() * 1e6) : undefined) : unixTime(after.timeNano - roundingNs);
  const only = since ?? (o.until === undefined ? undefined : unixTime(Date.now() * 1e6));
  // A date is a whole millisecond: what an engine tells of it to the nanosecond still belongs to it.
  const until = o.until === undefined ? undefined : unixTime(o.until.getTime() * 1e6 + lastOfMillisecondNs);
  // With an end and without a beginning an engine tells all it remembers.
  const query = { since: only, until, filters: encodeFilters({ type: types }) };
  const { body } = await ctx.client.stream("GET", "/events", { query, signal: o.signal });
  return releasing(
    guardedStream(() => read(body, after, ctx.facts.isPodman), o.signal),
    () => body.close(),
  );
}

async function* read(body: AsyncIterable<Uint8Array>, after: Cursor | undefined, isPodman: boolean): AsyncGenerator<RuntimeEvent> {
  let sequence = 0;
  const outOfMemory = new Set<string>();
  let skipping = after !== undefined;
  for await (const line of jsonLines(body)) {
    if (!isRecord(line)) throw new BerthError("internal", "the engine sent an event that is no object");
    const message = line as Received<EventMessage>;
    const event = eventOf(message, sequence + 1, isPodman);
    if (event === undefined) continue;
    if (skipping && after !== undefined) {
      const timeNano = timeOf(message);
      if (timeNano < after.timeNano) continue;
      if (timeNano === after.timeNano && event.cursor !== cursorText(after)) continue;
      skipping = false;
      // The one the cursor names was given before; when it is lost, what comes here is new.
      if (event.cursor === cursorText(after)) continue;
    }
    sequence += 1;
    yield explained(event, outOfMemory);
  }
}

/** What an engine leaves to the reader of a `die`: the signal its code stands for, and the want of memory told before it. */
function explained(event: RuntimeEvent, outOfMemory: Set<string>): RuntimeEvent {
  const { id, attributes } = event.actor;
  if (event.type !== "container") return event;
  if (event.action === "oom") outOfMemory.add(id);
  if (event.action !== "die") return event;
  const signal = signalOfExitCode(Number(attributes["exitCode"]));
  const oomKilled = outOfMemory.delete(id);
  return { ...event, actor: { id, attributes: { ...attributes, ...(signal === undefined ? {} : { signal }), ...(oomKilled ? { oomKilled: "true" } : {}) } } };
}

function timeOf(message: Received<EventMessage>): number {
  return number(message.timeNano) ?? (number(message.time) ?? 0) * 1e9;
}

function eventOf(message: Received<EventMessage>, sequence: number, isPodman: boolean): RuntimeEvent | undefined {
  const type = types.find((one) => one === message.Type);
  const word = message.Action ?? message.status;
  const action = isPodman && typeof word === "string" ? dockerAction(type ?? "", word) : word;
  if (type === undefined || typeof action !== "string") return undefined;
  const id = message.Actor?.ID ?? message.id ?? "";
  const attributes = stringRecord(message.Actor?.Attributes);
  const timeNano = timeOf(message);
  const containerId = type === "container" ? ownIdOf(attributes) : undefined;
  return {
    sequence,
    cursor: cursorText({ timeNano, identity: identityOf(type, action, id, attributes) }),
    time: new Date(timeNano / 1e6),
    type,
    action,
    actor: { id, attributes: visibleLabels(attributes) },
    ...(containerId === undefined ? {} : { containerId }),
  };
}

/** Two events of one moment differ in at least one of these. */
function identityOf(type: string, action: string, id: string, attributes: Readonly<Record<string, string>>): string {
  return createHash("sha256")
    .update(JSON.stringify([type, action, id, Object.entries(attributes).sort()]))
    .digest("hex")
    .slice(0, 16);
}

function cursorText({ timeNano, identity }: Cursor): string {
  return `${timeNano}-${identity}`;
}

function parseCursor(text: string): Cursor {
  const [, time, identity] = /^(\d{1,20})-([0-9a-f]{16})$/.exec(text) ?? [];
  if (time === undefined || identity === undefined)
    throw new BerthError("invalid_spec", `${JSON.stringify(text.slice(0, 80))} is not a cursor of this backend's events`);
  return { timeNano: Number(time), identity };
}

function unixTime(ns: number): string {
  const seconds = Math.floor(ns / 1e9);
  return `${seconds}.${String(Math.max(0, Math.floor(ns - seconds * 1e9))).padStart(9, "0")}`;
}
