/** Events of the simulated world, by the rules of every journal: numbers that grow by one, cursors, bounded retention. */
import { BerthError } from "../../errors.ts";
import { outcomeFromExit } from "../../runtime/derive.ts";
import { followEvents, type JournalledEvent } from "../../runtime/event-stream.ts";
import type { EventsOptions, RuntimeEvent } from "../../runtime/extras.ts";
import { signalName } from "../../spec/signals.ts";
import type { Clock } from "./clock.ts";
import type { Container } from "./container.ts";

const retain = 10_000;

export class MockJournal {
  readonly identity: string;
  readonly #clock: Clock;
  #events: JournalledEvent[] = [];
  #last = 0;
  readonly #listeners = new Set<() => void>();

  constructor(clock: Clock, uuid: string) {
    this.#clock = clock;
    this.identity = uuid.slice(0, 8);
  }

  get first(): number {
    return this.#events[0]?.sequence ?? this.#last + 1;
  }

  get last(): number {
    return this.#last;
  }

  record(event: Omit<JournalledEvent, "sequence" | "time">): void {
    this.#events.push({ ...event, sequence: ++this.#last, time: this.#clock.now() });
    if (this.#events.length >= 2 * retain) this.#events = this.#events.slice(-retain);
    for (const notify of [...this.#listeners]) notify();
  }

  recordContainer(container: Container, action: string, attributes: Readonly<Record<string, string>> = {}): void {
    const { setup, spec, name } = container;
    const all = { ...spec.labels, image: spec.image.name, name, ...attributes };
    this.record({ type: "container", action, actor: { id: setup.hexId, attributes: all }, containerId: setup.id });
  }

  recordExit(container: Container): void {
    if (container.exit === undefined) return;
    const { exitCode, reason, signal } = outcomeFromExit(container.exit);
    const isOom = reason === "oom_killed";
    if (isOom) this.recordContainer(container, "oom");
    const attributes = { exitCode: String(exitCode), ...(isOom ? { oomKilled: "true", signal: signalName(9) } : signal === undefined ? {} : { signal }) };
    this.recordContainer(container, "die", attributes);
    this.recordVolumes(container, "unmount");
  }

  recordVolumes({ setup, spec, volumes }: Container, action: "mount" | "unmount"): void {
    const named = spec.storage.flatMap((entry) => (entry.type === "named" ? [[entry.target, entry.name, entry.readonly !== true] as const] : []));
    for (const [destination, id, writable] of [...[...volumes].map(([target, { name }]) => [target, name, true] as const), ...named]) {
      const where = action === "unmount" ? {} : { destination, "read/write": String(writable), propagation: "" };
      this.record({ type: "volume", action, actor: { id, attributes: { container: setup.hexId, driver: "local", ...where } } });
    }
  }

  async read(after: number, limit: number): Promise<readonly JournalledEvent[]> {
    if (after + 1 < this.first) throw new BerthError("not_found", `events ${after + 1} to ${this.first - 1} are no longer kept`);
    const from = after + 1 - this.first;
    return this.#events.slice(from, from + limit);
  }

  listen(notify: () => void): Disposable {
    this.#listeners.add(notify);
    return { [Symbol.dispose]: () => void this.#listeners.delete(notify) };
  }

  follow(o: EventsOptions, closed: AbortSignal): AsyncIterable<RuntimeEvent> {
    return followEvents(this, o, closed);
  }
}
