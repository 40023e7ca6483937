/** Method 22: history and live output without gap and duplicate. 8 and 12 are views of it. */
import { setTimeout as delay } from "node:timers/promises";
import { EngineError } from "../../docker-api/engine-error.ts";
import type { LogChunk, LogsStreamOptions } from "../../runtime/types.ts";
import { guardedStream } from "../../runtime/guarded-stream.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { DockerContext } from "./context.ts";
import { isNoSuchContainer, type KnownContainer } from "./engine-ids.ts";
import { inspectEngine } from "./lifecycle.ts";
import { type EngineLogEntry, engineTime, framedEntries, joined, terminalEntries } from "./log-lines.ts";
import { releasing } from "./releasing.ts";
import { stateFromInspect } from "./state.ts";
import type { AnswerBody } from "../../docker-api/answer-body.ts";

interface Selection {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

interface LogSource {
  readonly ctx: DockerContext;
  readonly engineId: string;
  readonly tty: boolean;
  readonly selection: Selection;
}

/** The first request is sent before the stream is answered, so that an unknown container rejects the call. */
export async function logsStream(ctx: DockerContext, id: ContainerId, o: LogsStreamOptions, signal: AbortSignal | undefined): Promise<AsyncIterable<LogChunk>> {
  return await ctx.ids.use(id, signal, async (container) => {
    const source = { ctx, engineId: container.engineId, tty: await hasTerminal(ctx, container, signal), selection: selectionOf(o) };
    if (o.since !== undefined && o.until !== undefined && o.since > o.until) {
      await inspectEngine(ctx, container.engineId, signal);
      return guardedStream(noChunks, signal);
    }
    // Without live output the engine can choose the last lines, where no filter comes between.
    const engineTail =
      o.follow !== true && o.since === undefined && o.until === undefined && source.selection.stdout && source.selection.stderr ? o.tail : undefined;
    const first = await open(source, { follow: false, tail: engineTail }, signal);
    const stream = guardedStream((stop) => chunks(source, o, first, stop), signal);
    return releasing(stream, () => first.close());
  });
}

async function* noChunks(): AsyncGenerator<LogChunk> {}

function selectionOf(o: LogsStreamOptions): Selection {
  const both = o.stdout !== true && o.stderr !== true;
  return { stdout: both || o.stdout === true, stderr: both || o.stderr === true, since: unixTime(o.since), until: unixTime(o.until) };
}

function unixTime(seconds: number | undefined): string | undefined {
  return seconds === undefined ? undefined : seconds.toFixed(9);
}

async function hasTerminal(ctx: DockerContext, container: KnownContainer, signal: AbortSignal | undefined): Promise<boolean> {
  return container.spec?.tty ?? (await inspectEngine(ctx, container.engineId, signal)).Config?.Tty === true;
}

async function open(
  { ctx, engineId, selection }: LogSource,
  o: { readonly follow: boolean; readonly tail?: number | undefined; readonly since?: string | undefined },
  signal: AbortSignal | undefined,
): Promise<AnswerBody> {
  const { stdout, stderr, until } = selection;
  const query = { stdout, stderr, until, since: o.since ?? selection.since, follow: o.follow, tail: o.tail, timestamps: 1 };
  return (await ctx.client.stream("GET", `/containers/${engineId}/logs`, { query, signal })).body;
}

async function* chunks(source: LogSource, o: LogsStreamOptions, first: AnswerBody, stop: AbortSignal): AsyncGenerator<LogChunk> {
  const seen = new LastSeen();
  const show = ({ stream, bytes, time }: EngineLogEntry): LogChunk =>
    o.timestamps === true ? { stream, bytes, timestamp: new Date(time) } : { stream, bytes };
  try {
    const history = counted(entriesOf(source, first, { goesOn: o.follow === true }), seen);
    for await (const entries of o.tail === undefined ? history : lastLines(history, o.tail)) for (const entry of entries) yield show(entry);
    if (o.follow !== true) return;
    for await (const entries of liveEntries(source, seen, o.until, stop)) for (const entry of entries) yield show(entry);
  } finally {
    first.close();
  }
}

/** As many as came at once: one step of an iteration for each would cost many times the work on a line. */
type Entries = readonly EngineLogEntry[];

function entriesOf({ ctx, tty }: LogSource, body: AnswerBody, o: { readonly goesOn: boolean }): AsyncGenerator<Entries> {
  const entries = tty ? terminalEntries(body) : framedEntries(body);
  return ctx.facts.isPodman ? joined(entries, { keepOpen: o.goesOn }) : entries;
}

async function* counted(source: AsyncIterable<Entries>, seen: LastSeen): AsyncGenerator<Entries> {
  for await (const entries of source) {
    for (const entry of entries) seen.add(entry);
    yield entries;
  }
}

/** The last lines of what the filters left. A line may have come in several pieces. */
async function* lastLines(history: AsyncIterable<Entries>, tail: number): AsyncGenerator<Entries> {
  let lines: EngineLogEntry[][] = [];
  const open = new Map<EngineLogEntry["stream"], EngineLogEntry[]>();
  for await (const entries of history) {
    for (const entry of entries) {
      const line = open.get(entry.stream) ?? [];
      if (line.length === 0) lines.push(line);
      line.push(entry);
      if (endsLine(entry)) open.delete(entry.stream);
      else open.set(entry.stream, line);
    }
    if (lines.length > 2 * tail + 2) lines = lines.slice(-tail - 1);
  }
  yield tail === 0 ? [] : lines.slice(-tail).flat();
}

function endsLine({ bytes }: EngineLogEntry): boolean {
  return bytes.at(-1) === 0x0a;
}

/** Between two runs of a restart policy the engine closes the log. */
const restartPollMs = 100;

/** What comes after the history, over restarts by policy, to the end of the container. */
async function* liveEntries(source: LogSource, seen: LastSeen, until: number | undefined, stop: AbortSignal): AsyncGenerator<Entries> {
  const { isPodman } = source.ctx.facts;
  const end = until === undefined ? stop : AbortSignal.any([stop, AbortSignal.timeout(Math.max(0, Math.ceil(until * 1000 - Date.now())))]);
  for (;;) {
    try {
      const body = await open(source, { follow: true, since: seen.since }, end);
      if (!isPodman) yield* unseen(entriesOf(source, body, { goesOn: false }), seen);
      else {
        using _watch = closedAfterEnd(source, body);
        yield* unseen(entriesOf(source, body, { goesOn: true }), seen);
      }
      if (await goesOn(source, stop)) {
        await delay(restartPollMs);
        continue;
      }
      if (isPodman) yield* unseen(entriesOf(source, await open(source, { follow: false, since: seen.since }, end), { goesOn: false }), seen);
      return;
    } catch (thrown) {
      if (end.aborted && !stop.aborted) return;
      // Removed: that is the end of a log, not a failure.
      if (isNoSuchContainer(thrown) || isMarkedForRemoval(thrown)) return;
      throw thrown;
    }
  }
}

function isMarkedForRemoval(thrown: unknown): boolean {
  return thrown instanceof EngineError && thrown.status === 409 && /dead or marked for removal/i.test(thrown.engineMessage);
}

async function* unseen(source: AsyncIterable<Entries>, seen: LastSeen): AsyncGenerator<Entries> {
  const isNew = seen.filter();
  for await (const entries of source) {
    const fresh = entries.filter(isNew);
    for (const entry of fresh) seen.add(entry);
    yield fresh;
  }
}

/** Podman looks for new lines four times a second. */
const podmanDrainMs = 1_000;

/** Podman follows for ever when a container ends in the moment in which the following begins: then the body is closed from here. */
function closedAfterEnd({ ctx, engineId }: LogSource, body: AnswerBody): Disposable {
  const done = new AbortController();
  const { signal } = done;
  const closing = async (): Promise<void> => {
    await ctx.client.done("POST", `/containers/${engineId}/wait`, { query: { condition: "not-running" }, signal, timeoutMs: 0 });
    await delay(podmanDrainMs, undefined, { signal });
    body.close();
  };
  // An engine that goes closes the body, too.
  closing().catch(() => {});
  return { [Symbol.dispose]: () => done.abort() };
}

async function goesOn({ ctx, engineId }: LogSource, stop: AbortSignal): Promise<boolean> {
  const { state } = stateFromInspect((await inspectEngine(ctx, engineId, stop)).State);
  return state === "running" || state === "initializing";
}

/** The last moment that was given, and how many entries of it: a request from there on begins with these again. */
class LastSeen {
  #time: string | undefined;
  #count = 0;

  add({ time }: EngineLogEntry): void {
    this.#count = time === this.#time ? this.#count + 1 : 1;
    this.#time = time;
  }

  get since(): string | undefined {
    return this.#time === undefined ? undefined : engineTime(this.#time);
  }

  /** For one request from {@link since} on. */
  filter(): (entry: EngineLogEntry) => boolean {
    const time = this.#time;
    let skip = this.#count;
    return (entry) => {
      if (entry.time !== time || skip === 0) return true;
      skip -= 1;
      return false;
    };
  }
}
