/** `/api/v1/events`: one JSON object a line, from a cursor or an instant on. */
import { z } from "zod";
import { UnsupportedError } from "../../errors.ts";
import type { RuntimeEvent } from "../../runtime/extras.ts";
import type { Call } from "../call.ts";
import { timeParam } from "../query.ts";
import { matchesLabels } from "../../runtime/label-filter.ts";
import { type NativeRoute, route } from "./define.ts";
import type { NativeEngine } from "./engine.ts";
import { listed } from "./schemas.ts";

const eventLine = z
  .object({
    type: z.string(),
    action: z.string(),
    id: z.string(),
    name: z.string().optional(),
    image: z.string().optional(),
    labels: z.record(z.string(), z.string()),
    attributes: z.record(z.string(), z.string()),
    time: z.string(),
    cursor: z.string(),
    exit_code: z.int().optional(),
    signal: z.string().optional(),
    oom: z.boolean().optional(),
  })
  .meta({ id: "Event" });

export function eventRoutes(engine: NativeEngine): readonly NativeRoute[] {
  return [
    route({
      method: "GET",
      path: "/events",
      summary: "What happens; `since` is a time or the cursor of the last event seen",
      tag: "events",
      role: "reader",
      query: z.object({ label: listed, type: listed, since: z.string().optional(), until: z.string().optional() }),
      answer: { status: 200, schema: eventLine, contentType: "application/x-ndjson" },
      handle: (call, { query }) => sendEvents(engine, call, query),
    }),
  ];
}

async function sendEvents(
  engine: NativeEngine,
  call: Call,
  o: { label?: readonly string[] | undefined; type?: readonly string[] | undefined; since?: string | undefined },
): Promise<void> {
  const { events: open } = engine.runtime.extras ?? {};
  if (open === undefined) throw new UnsupportedError("events", engine.runtime.backend, "it tells no events");
  const until = timeParam(call.query, "until");
  const signal = AbortSignal.any([call.signal, engine.closing]);
  const stream = await open({ since: sinceOf(call, o.since), until: until === undefined ? undefined : new Date(until * 1000), signal });
  call.begin(200, "application/x-ndjson");
  try {
    for await (const event of stream) {
      const line = toLine(event);
      if (o.type !== undefined && !o.type.includes(event.type)) continue;
      if (!matchesLabels(event.actor.attributes, o.label ?? [])) continue;
      const wait = call.write(`${JSON.stringify(line)}\n`);
      // The journal holds what a slow reader has not had: it waits, and nothing is lost.
      if (wait !== undefined) await wait;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  call.end();
}

function sinceOf(call: Call, text: string | undefined): string | Date | undefined {
  if (text === undefined || text === "") return undefined;
  const isTime = /^\d{9,12}(\.\d+)?$|^\d{4}-\d\d-\d\d/.test(text);
  return isTime ? new Date((timeParam(call.query, "since") ?? 0) * 1000) : text;
}

const own = new Set(["name", "image", "exitCode", "signal", "oom", "execDuration", "container", "type", "execID"]);

function toLine({ type, action, actor, time, cursor }: RuntimeEvent): z.infer<typeof eventLine> {
  const { attributes } = actor;
  const code = attributes["exitCode"];
  return {
    type,
    action: action.split(":")[0] ?? action,
    id: actor.id,
    name: attributes["name"],
    image: attributes["image"],
    labels: Object.fromEntries(Object.entries(attributes).filter(([name]) => !own.has(name))),
    attributes: { ...attributes },
    time: time.toISOString(),
    cursor,
    exit_code: code === undefined ? undefined : Number(code),
    signal: attributes["signal"],
    oom: attributes["oom"] === undefined ? undefined : attributes["oom"] === "true",
  };
}
