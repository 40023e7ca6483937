import { Command, Option } from "commander";
import { BerthError } from "../../errors.ts";
import type { RuntimeEvent } from "../../runtime/extras.ts";
import type { CliContext } from "../context.ts";
import { hasLabel, parseFilters } from "../flags/filters.ts";
import { listOption, parseInstant } from "../flags/values.ts";
import { eventLine, eventRecord } from "../format/event.ts";
import { fillTemplate, parseFormat } from "../format/template.ts";
import { writeAll } from "../terminal/write.ts";

interface EventsFlags {
  readonly since?: string | Date;
  readonly until?: Date;
  readonly filter?: readonly string[];
  readonly format?: string;
}

export function eventsCommand(context: CliContext): Command {
  return new Command("events")
    .addOption(new Option("--since <time>", "2026-01-02T03:04:05Z, Unix seconds, how long ago (10m), or the cursor of an event").argParser(parseSince))
    .addOption(new Option("--until <time>", "end there").argParser(parseTime))
    .addOption(listOption("-f, --filter <key=value>", "container, image, event, type, label, network, volume or daemon"))
    .option("--format <format>", "json or a template such as {{.Action}} {{.Actor.ID}} {{.Cursor}}")
    .action(async (flags: EventsFlags) => {
      const wanted = eventFilter(flags.filter ?? []);
      const show = printer(flags.format);
      const runtime = await context.runtime();
      const { signal } = context.interruption();
      const events = runtime.extras?.events;
      if (events === undefined) throw new BerthError("unsupported", `the ${runtime.backend} backend tells no events`);
      for await (const event of await events.call(runtime.extras, { since: flags.since, until: flags.until, signal })) {
        if (wanted(event)) await writeAll(context.host.stdout, `${show(event)}\n`);
      }
    });
}

/** Ours look like `1f2e3d4c-17`. */
function parseSince(text: string): string | Date {
  return /^[0-9a-f]{8}-\d+$/.test(text) ? text : parseTime(text);
}

function parseTime(text: string): Date {
  return new Date(parseInstant(text) * 1000);
}

function printer(text: string | undefined): (event: RuntimeEvent) => string {
  if (text === undefined) return eventLine;
  const format = parseFormat(text);
  if (format.kind === "json" || /^\{\{\s*json\s+\.\s*\}\}$/.test(text.trim())) return (event) => JSON.stringify(eventRecord(event));
  if (format.kind === "table") return eventLine;
  return (event) => fillTemplate(format.parts, templateRecord(event));
}

/** Go's names of the fields beside those of the JSON. */
function templateRecord(event: RuntimeEvent): object {
  const { status, id, from, scope, time, timeNano, ...rest } = eventRecord(event);
  return { ...rest, Status: status, ID: id, From: from, Scope: scope, Time: time, TimeNano: timeNano, Cursor: event.cursor, Sequence: event.sequence };
}

function eventFilter(flags: readonly string[]): (event: RuntimeEvent) => boolean {
  const actorOf = (type: RuntimeEvent["type"]) => (value: string) => (event: RuntimeEvent) =>
    event.type === type && (event.actor.id.startsWith(value) || event.actor.attributes["name"] === value);
  return parseFilters<RuntimeEvent>(flags, {
    container: actorOf("container"),
    network: actorOf("network"),
    volume: actorOf("volume"),
    daemon: actorOf("daemon"),
    image: (value) => (event) =>
      event.type === "image" ? event.actor.id === value || event.actor.attributes["name"] === value : event.actor.attributes["image"] === value,
    event: (value) => (event) => event.action === value || event.action.split(":", 1)[0] === value,
    type: (value) => (event) => event.type === value,
    label: (value) => (event) => hasLabel(event.actor.attributes, value),
  });
}
