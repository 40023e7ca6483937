/** Methods 10 and 23. */
import assert from "node:assert/strict";
import type { ContractCase } from "../contract.ts";
import { program, programs, step } from "../programs.ts";
import { aborter, eventually, rejectsBecause } from "./expect.ts";

export const statsCases: readonly ContractCase[] = [
  {
    name: "a running container uses memory and time, and the numbers are of now",
    needs: [],
    run: async (t) => {
      const id = await t.service();
      const before = Date.now();
      const first = await t.runtime.getContainerStats(id);
      assert.ok(first.memoryBytes > 0 && first.memoryBytes < 1024 ** 3, `memory ${first.memoryBytes}`);
      assert.ok(first.cpuUsageUsec > 0, `cpu ${first.cpuUsageUsec}`);
      assert.equal(first.memoryLimit, undefined);
      assert.ok(Math.abs(first.timestamp.getTime() - before) < 5000);
      const second = await t.runtime.getContainerStats(id);
      assert.ok(second.cpuUsageUsec >= first.cpuUsageUsec);
      assert.ok(second.monotonicMs >= first.monotonicMs);
    },
  },
  {
    name: "a container that does not run has zeros with the current time",
    needs: [],
    run: async (t) => {
      const never = await t.create();
      const { id } = await t.finish({ argv: programs.exitWith(0) });
      for (const stopped of [never, id]) {
        const stats = await t.runtime.getContainerStats(stopped);
        assert.deepEqual([stats.cpuUsageUsec, stats.memoryBytes], [0, 0]);
        assert.ok(Math.abs(stats.timestamp.getTime() - Date.now()) < 5000);
      }
    },
  },
  {
    name: "limits appear in the statistics",
    needs: ["statsStream"],
    run: async (t) => {
      const id = await t.service({ resources: { memory: "64Mi", pidsLimit: 50 } });
      assert.equal((await t.runtime.getContainerStats(id)).memoryLimit, 64 * 1024 * 1024);
      for await (const sample of await t.runtime.statsStream(id)) {
        assert.equal(sample.memLimitBytes, 64 * 1024 * 1024);
        assert.equal(sample.pidsLimit, 50);
        break;
      }
    },
  },
  {
    name: "work costs processor time",
    needs: ["kernel"],
    run: async (t) => {
      const id = await t.start({ argv: programs.shell("i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; sleep 1000") });
      await t.logged(id, "done");
      const { cpuUsageUsec } = await t.runtime.getContainerStats(id);
      assert.ok(cpuUsageUsec > 20_000, `${cpuUsageUsec} µs`);
    },
  },
  {
    name: "a stats stream begins at once and goes on at its interval",
    needs: ["statsStream"],
    run: async (t) => {
      const id = await t.service();
      const samples = [];
      for await (const sample of await t.runtime.statsStream(id, { intervalMs: 100 })) {
        samples.push(sample);
        if (samples.length === 4) break;
      }
      const [first, , , last] = samples;
      assert.ok(first !== undefined && last !== undefined);
      assert.ok(first.onlineCpus >= 1 && first.pidsCurrent >= 1 && first.memUsedBytes > 0 && first.cpuTotalNs > 0);
      assert.equal(first.memLimitBytes, 0);
      assert.ok(last.cpuSystemNs > first.cpuSystemNs && last.timestamp > first.timestamp && last.cpuTotalNs >= first.cpuTotalNs);
    },
  },
  {
    name: "a stats stream ends when the container exits",
    needs: ["statsStream"],
    run: async (t) => {
      const id = await t.start({ argv: program(step.line("ready"), step.await("/gate")) });
      await t.logged(id, "ready");
      let samples = 0;
      for await (const _ of await t.runtime.statsStream(id, { intervalMs: 100 })) {
        if (++samples === 1) await t.runtime.exec(id, programs.touch("/gate"));
      }
      assert.ok(samples >= 1);
    },
  },
  {
    name: "a stats stream of a container that does not run is one sample of zeros",
    needs: ["statsStream"],
    run: async (t) => {
      const id = await t.create();
      const samples = await Array.fromAsync(await t.runtime.statsStream(id));
      assert.deepEqual(
        samples.map(({ cpuTotalNs, memUsedBytes, pidsCurrent }) => [cpuTotalNs, memUsedBytes, pidsCurrent]),
        [[0, 0, 0]],
      );
    },
  },
  {
    name: "an abort ends a pending read of statistics with its reason; closing twice is fine",
    needs: ["statsStream"],
    run: async (t) => {
      const id = await t.service();
      const { signal, reason, abort } = aborter();
      const stream = (await t.runtime.statsStream(id, { intervalMs: 60_000, signal }))[Symbol.asyncIterator]();
      await stream.next();
      const next = stream.next();
      abort();
      await rejectsBecause(reason, next);
      assert.equal((await stream.next()).done, true);
      await stream.return?.();
      await stream.return?.();
    },
  },
  {
    name: "processes are counted",
    needs: ["statsStream"],
    run: async (t) => {
      const id = await t.service();
      const count = async (): Promise<number> => {
        for await (const sample of await t.runtime.statsStream(id)) return sample.pidsCurrent;
        return 0;
      };
      const alone = await count();
      const { signal, abort } = aborter();
      const pending = t.runtime.exec(id, programs.forever(), { signal }).catch(() => {});
      await eventually("the exec'd process is counted", async () => (await count()) > alone);
      abort();
      await pending;
      await eventually("it is gone", async () => (await count()) === alone);
    },
  },
];
