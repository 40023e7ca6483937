/** The stream of `extras.events` over any journal: where it begins, how it goes on, when it ends. */
import { BerthError } from "../errors.ts";
import type { EventsOptions, RuntimeEvent } from "./extras.ts";
import { guardedStream } from "./guarded-stream.ts";

/** An event without the place it stands at. */
export type JournalledEvent = Omit<RuntimeEvent, "cursor">;

export interface EventSource {
  /** Told apart from other journals by this; hex digits. */
  readonly identity: string;
  /** Numbers of the oldest event kept and of the last one. */
  readonly first: number;
  readonly last: number;
  /** Events after a number, in order; some at a time. Throws when they are no longer kept. */
  read(after: number, limit: number): Promise<readonly JournalledEvent[]>;
  /** Calls back after every append. */
  listen(notify: () => void): Disposable;
}

const pageSize = 256;

/** Throws `invalid_spec` for a cursor that is not of this journal. `closed` ends every stream with `aborted`. */
export function followEvents(source: EventSource, o: EventsOptions, closed: AbortSignal): AsyncIterable<RuntimeEvent> {
  o.signal?.throwIfAborted();
  const { since, until } = o;
  // Fixed before the caller gets the stream: what happens from now on is in it.
  const after = since === undefined ? source.last : since instanceof Date ? source.first - 1 : parseCursor(source, since);
  const isWanted = ({ time }: JournalledEvent): boolean => !(since instanceof Date && time < since) && !(until !== undefined && time > until);
  return guardedStream((stop) => follow(source, { after, until, isWanted, stop, closed }), o.signal);
}

interface Following {
  readonly after: number;
  readonly until: Date | undefined;
  readonly isWanted: (event: JournalledEvent) => boolean;
  readonly stop: AbortSignal;
  readonly closed: AbortSignal;
}

async function* follow(source: EventSource, { after, until, isWanted, stop, closed }: Following): AsyncGenerator<RuntimeEvent> {
  using changes = new Changes(source, until, [stop, closed]);
  let position = after;
  for (;;) {
    stop.throwIfAborted();
    if (closed.aborted) throw new BerthError("aborted", "the runtime was closed while its events were followed");
    // Asked before the read: what happened up to then is then read for certain.
    const isPast = until !== undefined && Date.now() > until.getTime();
    const events = await source.read(position, pageSize);
    for (const event of events) {
      position = event.sequence;
      if (isWanted(event)) yield { ...event, cursor: cursorOf(source, event.sequence) };
    }
    if (events.length < pageSize) {
      if (isPast) return;
      await changes.next();
    }
  }
}

function cursorOf({ identity }: EventSource, sequence: number): string {
  return `${identity}-${sequence}`;
}

function parseCursor(source: EventSource, cursor: string): number {
  const [identity, digits = ""] = cursor.split("-");
  const sequence = Number(digits);
  if (identity !== source.identity || !/^\d{1,15}$/.test(digits) || sequence > source.last) {
    throw new BerthError("invalid_spec", `${JSON.stringify(cursor)} is no cursor of an event of this backend`);
  }
  return sequence;
}

/** Wakes the follower: something was appended, `until` passed, or it shall end. */
class Changes implements Disposable {
  readonly #release: (() => void)[] = [];
  #changed = false;
  #wake: (() => void) | undefined;

  constructor(source: EventSource, until: Date | undefined, signals: readonly AbortSignal[]) {
    const notify = (): void => {
      this.#changed = true;
      this.#wake?.();
      this.#wake = undefined;
    };
    const listening = source.listen(notify);
    this.#release.push(() => listening[Symbol.dispose]());
    for (const signal of signals) {
      signal.addEventListener("abort", notify);
      this.#release.push(() => signal.removeEventListener("abort", notify));
    }
    if (until !== undefined) {
      const timer = setTimeout(notify, Math.min(Math.max(0, until.getTime() - Date.now()) + 1, 2 ** 31 - 1));
      this.#release.push(() => clearTimeout(timer));
    }
  }

  async next(): Promise<void> {
    if (!this.#changed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
    this.#changed = false;
  }

  [Symbol.dispose](): void {
    for (const release of this.#release.splice(0)) release();
  }
}
