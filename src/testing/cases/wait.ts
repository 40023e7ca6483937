/** Methods 11, 17 and 18: the table of contract 2.4. */
import assert from "node:assert/strict";
import type { WaitCondition } from "../../runtime/types.ts";
import type { ContractCase } from "../contract.ts";
import { program, programs, step } from "../programs.ts";
import { aborter, isPending, rejectsBecause, rejectsWith } from "./expect.ts";

const gated = (code: number): readonly string[] => program(step.line("ready"), step.await("/gate"), step.exit(code));

export const waitCases: readonly ContractCase[] = [
  {
    name: "waiting for a container that never ran ends at once with 0",
    needs: [],
    run: async (t) => {
      const id = await t.create();
      assert.equal(await t.runtime.waitContainer(id), 0);
      assert.equal((await t.runtime.waitOutcomeWithCondition(id, "not-running")).exitCode, 0);
    },
  },
  {
    name: "the three waits agree about an exit, and say when it was",
    needs: [],
    run: async (t) => {
      const before = Date.now();
      const { id } = await t.finish({ argv: programs.exitWith(17) });
      const outcome = await t.runtime.waitOutcome(id);
      assert.deepEqual(await t.runtime.waitOutcomeWithCondition(id, "not-running"), outcome);
      assert.equal(await t.runtime.waitContainer(id), outcome.exitCode);
      const finishedAt = outcome.finishedAt?.getTime() ?? 0;
      assert.ok(finishedAt >= before - 1000 && finishedAt <= Date.now() + 1000, `finished at ${finishedAt}`);
    },
  },
  ...(["not-running", "next-exit"] as const).map(
    (condition): ContractCase => ({
      name: `a wait for ${condition} of a running container ends with its exit`,
      needs: [],
      run: async (t) => {
        const id = await t.start({ argv: gated(8) });
        await t.logged(id, "ready");
        const waiting = t.runtime.waitOutcomeWithCondition(id, condition);
        assert.ok(await isPending(waiting));
        await t.runtime.exec(id, programs.touch("/gate"));
        assert.equal((await waiting).exitCode, 8);
      },
    }),
  ),
  {
    name: "next-exit registered before the start sees a program that ends at once",
    needs: [],
    run: async (t) => {
      for (let repetition = 0; repetition < 5; repetition++) {
        const id = await t.create({ argv: ["/bin/true"] });
        const waiting = t.runtime.waitOutcomeWithCondition(id, "next-exit");
        await t.runtime.startContainer(id);
        assert.equal((await waiting).exitCode, 0);
      }
    },
  },
  {
    name: "next-exit of an exited container waits for a new run",
    needs: [],
    run: async (t) => {
      const { id } = await t.finish({ argv: programs.exitWith(3) });
      const waiting = t.runtime.waitOutcomeWithCondition(id, "next-exit");
      assert.ok(await isPending(waiting));
      await t.runtime.startContainer(id);
      assert.equal((await waiting).exitCode, 3);
    },
  },
  {
    name: "a wait for removal outlasts the exit and ends with its outcome",
    needs: [],
    run: async (t) => {
      const id = await t.start({ argv: programs.exitWith(6) });
      const waiting = t.runtime.waitOutcomeWithCondition(id, "removed");
      await t.runtime.waitContainer(id);
      assert.ok(await isPending(waiting));
      await t.runtime.removeContainer(id);
      assert.equal((await waiting).exitCode, 6);
    },
  },
  ...(["next-exit", "removed"] as const).map(
    (condition: WaitCondition): ContractCase => ({
      name: `removal of a container that never ran ends a wait for ${condition} with 0`,
      needs: [],
      run: async (t) => {
        const id = await t.create();
        const waiting = t.runtime.waitOutcomeWithCondition(id, condition);
        assert.ok(await isPending(waiting));
        await t.runtime.removeContainer(id);
        assert.equal((await waiting).exitCode, 0);
      },
    }),
  ),
  {
    name: "removal of a running container ends every wait with 137",
    needs: [],
    run: async (t) => {
      const id = await t.service({ onTerm: "ignore" });
      const waits = (["not-running", "next-exit", "removed"] as const).map((condition) => t.runtime.waitOutcomeWithCondition(id, condition));
      await t.runtime.removeContainer(id);
      for (const outcome of await Promise.all(waits)) assert.deepEqual([outcome.exitCode, outcome.reason, outcome.signal], [137, "signal", "SIGKILL"]);
    },
  },
  {
    name: "any number of waiters hear of one exit",
    needs: [],
    run: async (t) => {
      const id = await t.start({ argv: gated(2) });
      const waits = Array.from({ length: 50 }, () => t.runtime.waitContainer(id));
      await t.logged(id, "ready");
      await t.runtime.exec(id, programs.touch("/gate"));
      assert.deepEqual(new Set(await Promise.all(waits)), new Set([2]));
    },
  },
  {
    name: "an abort frees one waiter and leaves the others and the container alone",
    needs: [],
    run: async (t) => {
      const id = await t.service({ onTerm: 1 });
      const { signal, reason, abort } = aborter();
      const freed = [
        t.runtime.waitContainer(id, { signal }),
        t.runtime.waitOutcome(id, { signal }),
        t.runtime.waitOutcomeWithCondition(id, "removed", { signal }),
      ];
      const staying = t.runtime.waitContainer(id);
      abort();
      for (const waiting of freed) await rejectsBecause(reason, waiting);
      assert.ok(await isPending(staying));
      assert.deepEqual(await t.runtime.containerState(id), { state: "running" });
      await t.runtime.stopContainer(id);
      assert.equal(await staying, 1);
    },
  },
  {
    name: "an unknown wait condition is refused",
    needs: [],
    run: async (t) => {
      const id = await t.create();
      await rejectsWith("invalid_spec", t.runtime.waitOutcomeWithCondition(id, "gone" as WaitCondition));
    },
  },
  {
    name: "an exit is known to whoever opens the state later",
    needs: ["reopen"],
    run: async (t) => {
      const { id } = await t.finish({ argv: programs.exitWith(19) });
      const second = await t.reopen();
      const { finishedAt: _, ...outcome } = await second.waitOutcome(id);
      assert.deepEqual({ ...outcome, signal: outcome.signal }, { exitCode: 19, reason: "exited", signal: undefined });
      assert.deepEqual(await second.containerState(id), { state: "exited", code: 19 });
    },
  },
  {
    name: "a wait in one opened runtime hears of an exit another one caused",
    needs: ["reopen"],
    run: async (t) => {
      const id = await t.service({ onTerm: 23 });
      const second = await t.reopen();
      const here = t.runtime.waitContainer(id);
      const there = second.waitContainer(id);
      await second.stopContainer(id);
      assert.deepEqual(await Promise.all([here, there]), [23, 23]);
    },
  },
  {
    name: "closing a runtime rejects its waits with aborted and leaves the container running",
    needs: ["reopen"],
    run: async (t) => {
      const id = await t.service();
      const second = await t.reopen();
      const waiting = rejectsWith("aborted", second.waitContainer(id));
      await second.close();
      await waiting;
      await second.close();
      assert.deepEqual(await t.runtime.containerState(id), { state: "running" });
    },
  },
];
