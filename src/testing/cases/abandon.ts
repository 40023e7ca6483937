/** Every stream can be left at any point, and nothing of it stays: no descriptor, listener, timer or child process. */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import type { CallOptions } from "../../runtime/types.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { ContractCase, ContractContext, Need } from "../contract.ts";
import { type Held, growth, heldResources } from "../held-resources.ts";
import { program, step } from "../programs.ts";
import { aborter, eventually } from "./expect.ts";

interface Stream {
  readonly name: string;
  readonly needs: readonly Need[];
  open(t: ContractContext, id: ContainerId, o: CallOptions): Promise<AsyncIterable<unknown>>;
}

/** Each gives at least one item by itself. */
const streams: readonly Stream[] = [
  { name: "logsStream", needs: ["logsStream"], open: ({ runtime }, id, o) => runtime.logsStream(id, { follow: true }, o) },
  { name: "statsStream", needs: ["statsStream"], open: ({ runtime }, id, o) => runtime.statsStream(id, { intervalMs: 100, ...o }) },
  { name: "execStream", needs: ["execStream"], open: ({ runtime }, id, o) => runtime.execStream(id, program(step.line("here"), step.forever()), o) },
  { name: "pullImageStream", needs: ["pullImageStream"], open: ({ runtime, images }, _, o) => runtime.pullImageStream(images.demo, undefined, o) },
  { name: "saveImages", needs: ["saveImages"], open: ({ runtime, images }, _, o) => runtime.saveImages([images.demo], o) },
  { name: "exportContainerFs", needs: ["exportContainerFs"], open: ({ runtime }, id, o) => runtime.exportContainerFs(id, o) },
  { name: "archiveGet", needs: ["archiveGet"], open: ({ runtime }, id, o) => runtime.archiveGet(id, "/etc", o) },
  { name: "events", needs: ["events"], open: eventsOf },
];

async function eventsOf({ runtime }: ContractContext, _: ContainerId, o: CallOptions): Promise<AsyncIterable<unknown>> {
  const events = await runtime.extras?.events?.({ since: new Date(0), ...o });
  return events ?? assert.fail("the backend has events");
}

const rounds = 5;
/** A pool may keep one connection more than before; a leak, in whichever way of leaving, grows by one a round. */
const slack = rounds - 1;

export const abandonCases: readonly ContractCase[] = streams.map((stream) => ({
  name: `${stream.name}: left after its first item, before it, or by an abort, nothing stays`,
  needs: stream.needs,
  run: async (t) => {
    const id = await t.service();
    // Pools and caches fill up once.
    await leaveInEveryWay(stream, t, id);
    let before = heldResources();
    await settled(before, (now) => (before = now));
    for (let round = 0; round < rounds; round++) await leaveInEveryWay(stream, t, id);
    await eventually(
      () => `back to what was held before (${growth(before, heldResources(), slack).join(", ")})`,
      () => growth(before, heldResources(), slack).length === 0,
      15_000,
    );
  },
}));

/** Side by side: the first item of some comes only after a second. */
async function leaveInEveryWay(stream: Stream, t: ContractContext, id: ContainerId): Promise<void> {
  await Promise.all([afterFirst, unread, byAbort, watched].map((leave) => leave(stream, t, id)));
}

async function afterFirst(stream: Stream, t: ContractContext, id: ContainerId): Promise<void> {
  for await (const _ of await stream.open(t, id, {})) break;
}

async function unread(stream: Stream, t: ContractContext, id: ContainerId): Promise<void> {
  await (await stream.open(t, id, {}))[Symbol.asyncIterator]().return?.();
}

async function byAbort(stream: Stream, t: ContractContext, id: ContainerId): Promise<void> {
  const { signal, abort } = aborter();
  const aborted = (await stream.open(t, id, { signal }))[Symbol.asyncIterator]();
  await aborted.next();
  const pending = aborted.next();
  abort();
  await pending.catch(() => {});
  await aborted.return?.();
  assert.equal(getEventListeners(signal, "abort").length, 0, "no listener stays on a signal that fired");
}

async function watched(stream: Stream, t: ContractContext, id: ContainerId): Promise<void> {
  const { signal: kept } = aborter();
  for await (const _ of await stream.open(t, id, { signal: kept })) break;
  await eventually("no listener stays on a signal that never fires", () => getEventListeners(kept, "abort").length === 0);
}

/** What earlier cases left over goes away first: waits until two looks, a moment apart, see the same. */
async function settled(first: Held, update: (now: Held) => void): Promise<void> {
  let last = first;
  await eventually("a quiet moment", async () => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const now = heldResources();
    const quiet = JSON.stringify(now) === JSON.stringify(last);
    last = now;
    update(now);
    return quiet;
  });
}
