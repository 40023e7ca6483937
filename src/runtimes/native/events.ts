/** Events of the native backend: from what happened to an entry of the journal, and from there to whoever follows. */
import { followEvents } from "../../runtime/event-stream.ts";
import type { EventsOptions, RuntimeEvent } from "../../runtime/extras.ts";
import { parseContainerId } from "../../spec/container-id.ts";
import { signalName } from "../../spec/signals.ts";
import type { Journal } from "../../state/journal.ts";
import type { ContainerRecord, ContainerRun } from "./container-store.ts";
import type { NativeContext } from "./context.ts";
import { outcomeOf } from "./run-state.ts";

/** Something that happened just now, unless `time` says when. */
export interface NewEvent extends Pick<RuntimeEvent, "type" | "action" | "actor"> {
  readonly time?: Date | undefined;
  /** String form of the container, for container events. */
  readonly container?: string | undefined;
}

export class EventLog implements Disposable {
  readonly #journal: Journal;
  readonly #identity: string;

  constructor(journal: Journal, uuid: string) {
    this.#journal = journal;
    this.#identity = uuid.replaceAll("-", "").slice(0, 8);
  }

  /**
   * Appends to the journal: within an open transaction as a part of it, else in one of its own that costs no sync.
   * Write the record and its event in one transaction.
   */
  record(event: NewEvent): void {
    const { type, action, actor, container } = event;
    this.#journal.append({ time: event.time?.getTime() ?? Date.now(), type, action, actor: actor.id, attributes: actor.attributes, container });
  }

  /** What happened to a container; `attributes` come on top of its labels, image and name. */
  recordContainer(record: ContainerRecord, action: string, attributes: Readonly<Record<string, string>> = {}, time?: Date): void {
    const { hexId, name, key, facts } = record;
    const all = { ...facts.spec.labels, image: facts.imageReference, name, ...attributes };
    this.record({ type: "container", action, actor: { id: hexId, attributes: all }, container: key, time });
  }

  /** A run ended; call it in the transaction that records that. */
  recordExit(record: ContainerRecord, run: ContainerRun): void {
    const { exitCode, reason, signal, finishedAt = new Date() } = outcomeOf(run);
    if (reason === "oom_killed") this.recordContainer(record, "oom", {}, finishedAt);
    const seconds = run.startedAt === undefined ? undefined : Math.max(0, Math.floor((finishedAt.getTime() - run.startedAt) / 1000));
    const attributes = {
      exitCode: String(exitCode),
      ...(signal === undefined ? {} : { signal }),
      ...(reason === "oom_killed" ? { oomKilled: "true", signal: signalName(9) } : {}),
      ...(seconds === undefined ? {} : { execDuration: String(seconds) }),
    };
    this.recordContainer(record, "die", attributes, finishedAt);
    this.recordVolumes(record, "unmount", finishedAt);
  }

  /** The container begins or ends to have its volumes mounted. */
  recordVolumes({ hexId, facts }: ContainerRecord, action: "mount" | "unmount", time?: Date): void {
    for (const mount of facts.spec.storage) {
      if (mount.type !== "named") continue;
      const where = action === "unmount" ? {} : { destination: mount.target, "read/write": String(mount.readonly !== true), propagation: "" };
      this.record({ type: "volume", action, actor: { id: mount.name, attributes: { container: hexId, driver: "local", ...where } }, time });
    }
  }

  /** Calls back with the keys of containers that something happened to, whoever did it. Keeps no process alive. */
  watch(notify: (keys: readonly string[]) => void): Disposable {
    let position = this.#journal.last;
    const look = (): void => {
      const { keys, last } = this.#journal.containersAfter(position);
      position = last;
      if (keys.length > 0) notify(keys);
    };
    return this.#journal.listen(look, { keepAlive: false });
  }

  follow(o: EventsOptions, closed: AbortSignal): AsyncIterable<RuntimeEvent> {
    return followEvents(new JournalSource(this.#journal, this.#identity), o, closed);
  }

  [Symbol.dispose](): void {
    this.#journal[Symbol.dispose]();
  }
}

class JournalSource {
  readonly #journal: Journal;
  readonly identity: string;

  constructor(journal: Journal, identity: string) {
    this.#journal = journal;
    this.identity = identity;
  }

  get first(): number {
    return this.#journal.first;
  }

  get last(): number {
    return this.#journal.last;
  }

  async read(after: number, limit: number): Promise<Omit<RuntimeEvent, "cursor">[]> {
    const entries = await this.#journal.read(after, limit);
    return entries.map(({ sequence, time, type, action, actor, attributes, container }) => ({
      sequence,
      time: new Date(time),
      type: type as RuntimeEvent["type"],
      action,
      actor: { id: actor, attributes },
      containerId: container === undefined ? undefined : parseContainerId(container),
    }));
  }

  listen(notify: () => void): Disposable {
    return this.#journal.listen(notify);
  }
}

/** Method `extras.events`. */
export function events(ctx: NativeContext, o: EventsOptions): AsyncIterable<RuntimeEvent> {
  return ctx.journal.follow(o, ctx.closed);
}
