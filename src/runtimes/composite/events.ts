/**
 * The events of all children as one stream. A cursor holds one cursor per child, so that resuming leaves no gap on any of
 * them; the sequence is the sum of the children's, so it grows with every event and never repeats.
 */
import { BerthError } from "../../errors.ts";
import type { EventsOptions, RuntimeEvent } from "../../runtime/extras.ts";
import { guardedStream } from "../../runtime/guarded-stream.ts";
import type { Children } from "./children.ts";

/** Where a child's stream stands: after an event, or, before its first one, at the instant the reader began. */
type Mark = { readonly cursor: string; readonly sequence: number } | { readonly from: number };
type Place = Readonly<Record<string, Mark>>;

export async function mergedEvents(children: Children, o: EventsOptions = {}): Promise<AsyncIterable<RuntimeEvent>> {
  const begun = o.since instanceof Date ? o.since.getTime() : Date.now();
  const resumed = typeof o.since === "string" ? parseCursor(o.since) : {};
  const place: Place = Object.fromEntries(children.all.map(({ name }) => [name, resumed[name] ?? { from: begun }]));
  const stop = new AbortController();
  const signal = o.signal === undefined ? stop.signal : AbortSignal.any([o.signal, stop.signal]);
  const sources = new Map<string, AsyncIterator<RuntimeEvent>>();
  try {
    for (const { name, runtime } of children.all) {
      const since = o.since === undefined ? undefined : sinceOf(place[name]);
      const events = await runtime.extras?.events?.({ ...o, since, signal });
      if (events !== undefined) sources.set(name, events[Symbol.asyncIterator]());
    }
  } catch (error) {
    stop.abort(error);
    throw error;
  }
  const leave = (): void => {
    stop.abort();
    for (const source of sources.values()) source.return?.().catch(() => {});
  };
  return guardedStream((ended) => {
    // Also a stream that nobody ever read from is left.
    ended.addEventListener("abort", leave, { once: true });
    return merge({ sources, from: place, leave, ended });
  }, o.signal);
}

type Arrival = { readonly name: string; readonly step: IteratorResult<RuntimeEvent> } | { readonly name: string; readonly error: unknown };

interface Merging {
  readonly sources: ReadonlyMap<string, AsyncIterator<RuntimeEvent>>;
  readonly from: Place;
  readonly leave: () => void;
  readonly ended: AbortSignal;
}

/** At most one event of each child is waiting. When the reader has left, `leave` ends the children's streams and so this one. */
async function* merge({ sources, from, leave, ended }: Merging): AsyncGenerator<RuntimeEvent> {
  const arrived: Arrival[] = [];
  let wake = (): void => {};
  const take = (arrival: Arrival): void => {
    arrived.push(arrival);
    wake();
  };
  const pull = (name: string): void => {
    sources
      .get(name)
      ?.next()
      .then(
        (step) => take({ name, step }),
        (error: unknown) => take({ name, error }),
      );
  };
  let place = from;
  let open = sources.size;
  try {
    for (const name of sources.keys()) pull(name);
    while (open > 0) {
      const next = arrived.shift();
      if (next === undefined) await new Promise<void>((resolve) => (wake = resolve));
      else if ("error" in next) throw next.error;
      else if (next.step.done === true) open--;
      else {
        const { cursor, sequence } = next.step.value;
        place = { ...place, [next.name]: { cursor, sequence } };
        pull(next.name);
        yield { ...next.step.value, cursor: cursorOf(place), sequence: sumOf(place) };
      }
    }
    ended.throwIfAborted();
  } finally {
    leave();
  }
}

function sinceOf(mark: Mark | undefined): string | Date | undefined {
  if (mark === undefined) return undefined;
  return "cursor" in mark ? mark.cursor : new Date(mark.from);
}

function sumOf(place: Place): number {
  return Object.values(place).reduce((sum, mark) => sum + ("sequence" in mark ? mark.sequence : 0), 0);
}

function cursorOf(place: Place): string {
  return Buffer.from(JSON.stringify(place)).toString("base64url");
}

function parseCursor(text: string): Place {
  try {
    const place: unknown = JSON.parse(Buffer.from(text, "base64url").toString());
    if (typeof place === "object" && place !== null && Object.values(place).every(isMark)) return place as Place;
  } catch {
    // Falls through to the one message.
  }
  throw new BerthError("invalid_spec", `${JSON.stringify(text)} is no cursor of this stream of events`);
}

function isMark(value: unknown): value is Mark {
  if (typeof value !== "object" || value === null) return false;
  if ("from" in value) return typeof value.from === "number";
  return "cursor" in value && typeof value.cursor === "string" && "sequence" in value && typeof value.sequence === "number";
}
