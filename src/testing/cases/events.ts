/** `extras.events` (Appendix B, contract 4.1): what happened, in order, exactly once, from any place on. */
import assert from "node:assert/strict";
import type { EventsOptions, RuntimeEvent } from "../../runtime/extras.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { type ContainerId, sameContainerId } from "../../spec/container-id.ts";
import type { ContractCase, ContractContext } from "../contract.ts";
import { program, programs, step } from "../programs.ts";
import { aborter, rejectsBecause, rejectsWith } from "./expect.ts";

async function events(runtime: Runtime, o?: EventsOptions): Promise<AsyncIterable<RuntimeEvent>> {
  assert.ok(runtime.extras?.events !== undefined, "extras.events is there");
  return await runtime.extras.events(o);
}

/** Events of one container up to one with this action, `count` of it. */
async function until(stream: AsyncIterable<RuntimeEvent>, id: ContainerId, action: string, count = 1): Promise<RuntimeEvent[]> {
  const seen: RuntimeEvent[] = [];
  for await (const event of stream) {
    if (event.containerId === undefined || !sameContainerId(event.containerId, id)) continue;
    seen.push(event);
    if (event.action === action && --count === 0) return seen;
  }
  return assert.fail(`the stream ended before ${action}; it held ${actions(seen).join(", ")}`);
}

const withoutCursors = (seen: readonly RuntimeEvent[]): unknown[] => seen.map(({ cursor: _, ...event }) => event);

const actions = (seen: readonly RuntimeEvent[]): string[] => seen.map(({ action }) => action);

function find(seen: readonly RuntimeEvent[], action: string): RuntimeEvent {
  const found = seen.find((event) => event.action === action);
  assert.ok(found !== undefined, `${action} is among ${actions(seen).join(", ")}`);
  return found;
}

/** Everything that is in the journal by now. */
async function history(t: ContractContext, since?: string | Date): Promise<RuntimeEvent[]> {
  return Array.fromAsync(await events(t.runtime, { since: since ?? new Date(0), until: new Date() }));
}

export const eventCases: readonly ContractCase[] = [
  {
    name: "a container's life is told in order, each step once",
    needs: ["events"],
    run: async (t) => {
      const stream = await events(t.runtime);
      const id = await t.start({ argv: programs.exitWith(3), labels: { colour: "green" } });
      await t.runtime.waitContainer(id);
      await t.runtime.removeContainer(id);
      const seen = await until(stream, id, "destroy");
      assert.deepEqual(actions(seen), ["create", "start", "die", "destroy"]);
      const { hexId = "", name = "" } = { hexId: seen[0]?.actor.id, name: seen[0]?.actor.attributes["name"] };
      assert.match(hexId, /^[0-9a-f]{64}$/);
      for (const event of seen) {
        assert.equal(event.type, "container");
        assert.equal(event.actor.id, hexId);
        assert.equal(event.actor.attributes["name"], name);
        assert.equal(event.actor.attributes["colour"], "green");
        assert.equal(event.actor.attributes["image"], t.images.demo);
      }
      assert.equal(find(seen, "die").actor.attributes["exitCode"], "3");
      assert.equal(find(seen, "die").actor.attributes["signal"], undefined);
    },
  },
  {
    name: "a stop is told as kill, die and stop, a kill as kill and die, with their signals",
    needs: ["events", "killContainer"],
    run: async (t) => {
      const stream = await events(t.runtime);
      const id = await t.service({ onTerm: 7 });
      await t.runtime.stopContainer(id);
      await t.runtime.startContainer(id);
      await t.runtime.killContainer(id, "SIGKILL");
      const seen = await until(stream, id, "die", 2);
      assert.deepEqual(actions(seen), ["create", "start", "kill", "die", "stop", "start", "kill", "die"]);
      assert.equal(seen[2]?.actor.attributes["signal"], "15");
      assert.equal(seen[3]?.actor.attributes["exitCode"], "7");
      assert.equal(seen[6]?.actor.attributes["signal"], "9");
      assert.equal(seen[7]?.actor.attributes["exitCode"], "137");
      assert.equal(seen[7]?.actor.attributes["signal"], "SIGKILL");
    },
  },
  {
    name: "the end by a signal nobody of us sent is told with its name",
    needs: ["events"],
    run: async (t) => {
      const stream = await events(t.runtime);
      const id = await t.start({ argv: program(step.die("SEGV")), initContainer: true });
      const die = find(await until(stream, id, "die"), "die");
      assert.equal(die.actor.attributes["exitCode"], "139");
    },
  },
  {
    name: "an OOM kill is told before the die that follows",
    needs: ["events", "oom"],
    run: async (t) => {
      const stream = await events(t.runtime);
      const id = await t.start({ argv: programs.shell("tail /dev/zero"), resources: { memory: "16Mi", memorySwap: "16Mi" } });
      const seen = await until(stream, id, "die");
      assert.deepEqual(actions(seen), ["create", "start", "oom", "die"]);
      assert.equal(seen[3]?.actor.attributes["oomKilled"], "true");
    },
  },
  {
    name: "an exec is told as created, started and ended, with its command and code",
    needs: ["events"],
    run: async (t) => {
      const id = await t.service();
      const stream = await events(t.runtime);
      const argv = program(step.exit(4));
      await t.runtime.exec(id, argv);
      const seen = await until(stream, id, "exec_die");
      assert.deepEqual(
        actions(seen).map((action) => action.split(":")[0]),
        ["exec_create", "exec_start", "exec_die"],
      );
      assert.equal(seen[0]?.action, `exec_create: ${argv.join(" ")}`);
      assert.equal(seen[2]?.actor.attributes["exitCode"], "4");
      const ids = new Set(seen.map(({ actor }) => actor.attributes["execID"]));
      assert.equal(ids.size, 1);
    },
  },
  {
    name: "a rename is told with both names",
    needs: ["events", "renameContainer"],
    run: async (t) => {
      const id = await t.create();
      const before = (await t.runtime.inspectDetailed(id)).name;
      const stream = await events(t.runtime);
      await t.runtime.renameContainer(id, `${before}-new`);
      const [event] = await until(stream, id, "rename");
      assert.equal(event?.actor.attributes["name"], `${before}-new`);
      assert.equal(event?.actor.attributes["oldName"], `/${before}`);
    },
  },
  {
    name: "pause and unpause are told",
    needs: ["events", "pauseContainer", "unpauseContainer"],
    run: async (t) => {
      const id = await t.service();
      const stream = await events(t.runtime);
      await t.runtime.pauseContainer(id);
      await t.runtime.unpauseContainer(id);
      assert.deepEqual(actions(await until(stream, id, "unpause")), ["pause", "unpause"]);
    },
  },
  {
    name: "a restart is told after the stop and the start it is",
    needs: ["events"],
    run: async (t) => {
      const { extras } = t.runtime;
      if (extras?.restartContainer === undefined) return;
      const id = await t.service({ onTerm: 2 });
      const stream = await events(t.runtime);
      await extras.restartContainer(id);
      assert.deepEqual(actions(await until(stream, id, "restart")), ["kill", "die", "stop", "start", "restart"]);
      await t.runtime.stopContainer(id);
      await extras.restartContainer(id);
      assert.deepEqual(await t.runtime.containerState(id), { state: "running" });
    },
  },
  {
    name: "an attach is told",
    needs: ["events", "attach"],
    run: async (t) => {
      const id = await t.service();
      const stream = await events(t.runtime);
      using _handle = await t.runtime.extras?.attachContainer?.(id);
      assert.deepEqual(actions(await until(stream, id, "attach")), ["attach"]);
    },
  },
  {
    name: "sequence numbers grow by one, and a cursor goes on right behind its event",
    needs: ["events"],
    run: async (t) => {
      await t.finish({ argv: programs.exitWith(0) });
      const all = await history(t);
      for (const [index, event] of all.entries()) if (index > 0) assert.equal(event.sequence, (all[index - 1]?.sequence ?? 0) + 1);
      for (const event of all.slice(-4)) {
        const rest = await history(t, event.cursor);
        assert.deepEqual(
          rest.map(({ sequence }) => sequence),
          all.map(({ sequence }) => sequence).filter((sequence) => sequence > event.sequence),
        );
      }
    },
  },
  {
    name: "a follower that leaves and comes back with its cursor misses nothing and sees nothing twice",
    needs: ["events"],
    run: async (t) => {
      const id = await t.create({ argv: programs.forever() });
      const [first] = await until(await events(t.runtime, { since: new Date(0) }), id, "create");
      const seen: RuntimeEvent[] = [];
      let cursor = first?.cursor;
      for (let run = 0; run < 3; run++) {
        await t.runtime.startContainer(id);
        await t.runtime.stopContainer(id, 0);
        for await (const event of await events(t.runtime, { since: cursor })) {
          cursor = event.cursor;
          if (event.containerId === undefined || !sameContainerId(event.containerId, id)) continue;
          seen.push(event);
          if (event.action === "stop") break;
        }
      }
      assert.deepEqual(
        actions(seen).filter((action) => action !== "kill"),
        Array.from({ length: 3 }, () => ["start", "die", "stop"]).flat(),
      );
    },
  },
  {
    name: "without since only what comes is told; with until the stream ends",
    needs: ["events"],
    run: async (t) => {
      const before = await t.create();
      const stream = await events(t.runtime, { until: new Date(Date.now() + 2000) });
      const id = await t.create();
      const seen = await Array.fromAsync(stream);
      const ids = seen.flatMap(({ containerId }) => (containerId === undefined ? [] : [containerId]));
      assert.ok(ids.some((one) => sameContainerId(one, id)));
      assert.ok(!ids.some((one) => sameContainerId(one, before)));
      const nothing = await Array.fromAsync(await events(t.runtime, { since: new Date(2000), until: new Date(3000) }));
      assert.deepEqual(nothing, []);
    },
  },
  {
    name: "a cursor of somebody else is refused",
    needs: ["events"],
    run: async (t) => {
      await t.create();
      const [last] = (await history(t)).slice(-1);
      const ahead = `${last?.cursor}99999`;
      for (const cursor of ["", "nonsense", "0", ahead]) await rejectsWith("invalid_spec", events(t.runtime, { since: cursor }));
    },
  },
  {
    name: "an abort ends a follower that waits, with its reason",
    needs: ["events"],
    run: async (t) => {
      const { signal, reason, abort } = aborter();
      const stream = await events(t.runtime, { signal });
      const next = stream[Symbol.asyncIterator]().next();
      setTimeout(abort, 20);
      await rejectsBecause(reason, next);
      await rejectsBecause(reason, events(t.runtime, { signal }));
    },
  },
  {
    name: "two processes' worth of runtimes see one journal, each exit once",
    needs: ["events", "reopen"],
    run: async (t) => {
      const other = await t.reopen();
      const streams = [await events(t.runtime), await events(other)];
      const id = await t.start({ argv: programs.exitWith(5) });
      await Promise.all([t.runtime.waitContainer(id), other.waitContainer(id)]);
      await other.removeContainer(id);
      const [here, there] = await Promise.all(streams.map((stream) => until(stream, id, "destroy")));
      assert.deepEqual(actions(here ?? []), ["create", "start", "die", "destroy"]);
      // Cursors are opaque: two readers need not be given the same text for one place.
      assert.deepEqual(withoutCursors(here ?? []), withoutCursors(there ?? []));
    },
  },
  {
    name: "closing the runtime ends its followers with aborted",
    needs: ["events", "reopen"],
    run: async (t) => {
      const other = await t.reopen();
      const next = (await events(other))[Symbol.asyncIterator]().next();
      await other.close();
      await rejectsWith("aborted", next);
    },
  },
];
