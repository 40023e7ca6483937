/** Method 41: limits that change while a container runs, and between its runs. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { StatsSample } from "../../runtime/types.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { ContractCase, ContractContext } from "../contract.ts";
import { programs } from "../programs.ts";
import { rejectsWith } from "./expect.ts";
import type { ContainerResourceUpdate } from "../../runtime/resource-update.ts";

const mib = 1024 * 1024;

async function sampleOf(t: ContractContext, id: ContainerId): Promise<StatsSample> {
  for await (const sample of await t.runtime.statsStream(id)) return sample;
  return assert.fail("there was no sample");
}

/** Every limit of the cgroups a process is in, by file; not what the kernel counts. */
function limitsOf(pid: number): Map<string, string> {
  const limits = new Map<string, string>();
  for (const line of readFileSync(`/proc/${pid}/cgroup`, "utf8").trim().split("\n")) {
    const [, controllers = "", path = ""] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    const mount = controllers === "" ? (existsSync("/sys/fs/cgroup/cgroup.controllers") ? "" : "unified") : controllers.replace("name=", "");
    const directory = join("/sys/fs/cgroup", mount, path);
    if (!existsSync(directory)) continue;
    for (const file of readdirSync(directory)) if (limitFile.test(file)) limits.set(join(directory, file), read(join(directory, file)));
  }
  return limits;
}

const limitFile =
  /^(cpu\.(shares|weight|max|cfs_\w+_us)|memory\.(max|low|high|min|swap\.max|limit_in_bytes|memsw\.limit_in_bytes|soft_limit_in_bytes|swappiness)|pids\.max|cpuset\.(cpus|mems)|(blkio|io)\.(bfq\.)?weight)$/;

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

async function pidOf(t: ContractContext, id: ContainerId): Promise<number> {
  const pid = await t.runtime.getContainerPid(id);
  assert.ok(pid !== undefined);
  return pid;
}

const refused: readonly ContainerResourceUpdate[] = [
  { cpuShares: 1 },
  { cpuShares: 262_145 },
  { cpuPeriod: 999 },
  { cpuQuota: 999 },
  { cpuQuota: 1 },
  { blkioWeight: 9 },
  { blkioWeight: 1001 },
  { pidsLimit: 1.5 },
  { memory: Number.NaN },
  { cpusetCpus: "0-" },
  { cpusetCpus: "4000" },
  { cpusetMems: "4000" },
  { memory: 512 * mib },
  { memorySwap: 32 * mib },
  { restartPolicy: { name: "always", maximumRetryCount: 3 } },
  { restartPolicy: { name: "on-failure", maximumRetryCount: -1 } },
  { memory: 65 * mib, cpuShares: 1 },
];

export const updateCases: readonly ContractCase[] = [
  {
    name: "an update holds at once, after a restart and for another engine process",
    needs: ["updateContainerResources", "statsStream", "reopen"],
    run: async (t) => {
      const id = await t.service({ resources: { memory: "64Mi", memorySwap: "256Mi", pidsLimit: 50 } });
      assert.deepEqual(await t.runtime.updateContainerResources(id, { memory: 96 * mib, pidsLimit: 60 }), { warnings: [] });
      const changed = await sampleOf(t, id);
      assert.deepEqual([changed.memLimitBytes, changed.pidsLimit], [96 * mib, 60]);
      const other = await t.reopen();
      await other.updateContainerResources(id, { pidsLimit: 0 });
      assert.equal((await sampleOf(t, id)).pidsLimit, undefined);
      await t.runtime.stopContainer(id, 0);
      await other.startContainer(id);
      const again = await sampleOf(t, id);
      assert.deepEqual([again.memLimitBytes, again.pidsLimit], [96 * mib, undefined]);
    },
  },
  {
    name: "an update of a container that does not run is for its next start",
    needs: ["updateContainerResources", "statsStream"],
    run: async (t) => {
      const id = await t.create({ argv: programs.forever() });
      await t.runtime.updateContainerResources(id, { memory: 48 * mib, pidsLimit: 33 });
      await t.runtime.startContainer(id);
      const sample = await sampleOf(t, id);
      assert.deepEqual([sample.memLimitBytes, sample.pidsLimit], [48 * mib, 33]);
    },
  },
  {
    name: "an empty update changes nothing and warns of nothing",
    needs: ["updateContainerResources"],
    run: async (t) => {
      const id = await t.create();
      assert.deepEqual(await t.runtime.updateContainerResources(id, {}), { warnings: [] });
      assert.deepEqual(await t.runtime.updateContainerResources(id, { memory: undefined }), { warnings: [] });
    },
  },
  {
    name: "an update with one impossible field is refused as a whole",
    needs: ["updateContainerResources", "statsStream"],
    run: async (t) => {
      const id = await t.service({ resources: { memory: "64Mi", memorySwap: "128Mi", pidsLimit: 50 } });
      for (const update of refused) await rejectsWith("invalid_spec", t.runtime.updateContainerResources(id, update));
      const sample = await sampleOf(t, id);
      assert.deepEqual([sample.memLimitBytes, sample.pidsLimit], [64 * mib, 50]);
      await rejectsWith("invalid_spec", t.runtime.updateContainerResources(await t.create(), { memorySwap: 32 * mib }));
    },
  },
  {
    name: "a restart policy does not go with a container that is removed when it exits",
    needs: ["updateContainerResources", "delete-on-exit"],
    run: async (t) => {
      const id = await t.create({ lifecycle: { deleteOnExit: true } });
      await rejectsWith("invalid_spec", t.runtime.updateContainerResources(id, { restartPolicy: { name: "always" } }));
      await t.runtime.updateContainerResources(id, { restartPolicy: { name: "no" } });
    },
  },
  {
    name: "fields without effect are taken and named in the warnings",
    needs: ["updateContainerResources"],
    run: async (t) => {
      const id = await t.create();
      const { warnings } = await t.runtime.updateContainerResources(id, { kernelMemory: 64 * mib, cpuRealtimePeriod: 1000, cpuRealtimeRuntime: 1000 });
      assert.equal(warnings.length, 3);
      for (const field of ["kernelMemory", "cpuRealtimePeriod", "cpuRealtimeRuntime"])
        assert.ok(
          warnings.some((text) => text.includes(field)),
          field,
        );
    },
  },
  {
    name: "an update of one field leaves every other limit as it is, to the byte, and a refused one all of them",
    needs: ["updateContainerResources", "kernel"],
    run: async (t) => {
      const id = await t.service({ resources: { memory: "64Mi", memorySwap: "256Mi", cpu: 0.5, pidsLimit: 50 } });
      const pid = await pidOf(t, id);
      const updates: readonly (readonly [ContainerResourceUpdate, RegExp])[] = [
        [{ memory: 96 * mib }, /\/memory\.(limit_in_bytes|max)$/],
        [{ memory: 80 * mib }, /\/memory\.(limit_in_bytes|max)$/],
        [{ memorySwap: 300 * mib }, /\/memory\.(memsw\.limit_in_bytes|swap\.max)$/],
        [{ memoryReservation: 32 * mib }, /\/memory\.(soft_limit_in_bytes|low)$/],
        [{ cpuShares: 512 }, /\/cpu\.(shares|weight)$/],
        [{ cpuQuota: 25_000 }, /\/cpu\.(cfs_quota_us|max)$/],
        [{ cpuPeriod: 50_000 }, /\/cpu\.(cfs_period_us|max)$/],
        [{ cpuQuota: -1 }, /\/cpu\.(cfs_quota_us|max)$/],
        [{ cpusetCpus: "0" }, /\/cpuset\.cpus$/],
        [{ pidsLimit: 70 }, /\/pids\.max$/],
      ];
      for (const [update, file] of updates) {
        const before = limitsOf(pid);
        await t.runtime.updateContainerResources(id, update);
        const after = limitsOf(pid);
        const changed = [...after].filter(([path, text]) => before.get(path) !== text).map(([path]) => path);
        assert.ok(changed.every((path) => file.test(path)) && changed.length <= 1, `${JSON.stringify(update)} changed ${changed.join(", ")}`);
      }
      const before = limitsOf(pid);
      for (const update of refused) await t.runtime.updateContainerResources(id, update).catch(() => {});
      assert.deepEqual(limitsOf(pid), before);
    },
  },
  {
    name: "an update that the kernel refuses in the middle is taken back",
    needs: ["updateContainerResources", "kernel"],
    run: async (t) => {
      const id = await t.service({ resources: { cpuset: "0" } });
      const pid = await pidOf(t, id);
      const before = limitsOf(pid);
      // A real quota that is greater than the kernel can hold fails after the shares were written.
      await rejectsWith("internal", t.runtime.updateContainerResources(id, { cpuShares: 300, cpuQuota: Number.MAX_SAFE_INTEGER }));
      assert.deepEqual(limitsOf(pid), before);
      await t.runtime.stopContainer(id, 0);
      await t.runtime.startContainer(id);
      assert.deepEqual([...limitsOf(await pidOf(t, id)).values()], [...before.values()]);
    },
  },
  {
    name: "quota, period and processors of an update come back with the next start",
    needs: ["updateContainerResources", "kernel"],
    run: async (t) => {
      const id = await t.service({ resources: { cpu: 0.5 } });
      await t.runtime.updateContainerResources(id, { cpuQuota: 20_000, cpuPeriod: 40_000, cpusetCpus: "0", cpuShares: 400 });
      const live = [...limitsOf(await pidOf(t, id)).values()];
      await t.runtime.stopContainer(id, 0);
      await t.runtime.startContainer(id);
      assert.deepEqual([...limitsOf(await pidOf(t, id)).values()], live);
    },
  },
  {
    name: "processors of a container change while something was exec'd in it",
    needs: ["updateContainerResources", "exec-handles", "kernel"],
    run: async (t) => {
      const id = await t.service();
      const exec = await t.runtime.extras?.openExec?.(id, { command: programs.shell("echo ready; exec sleep 1000"), attachStdout: true });
      assert.ok(exec !== undefined);
      await new Promise((resolve) => exec.stream.once("data", resolve));
      await t.runtime.updateContainerResources(id, { cpusetCpus: "0" });
      const seen = await t.runtime.exec(id, programs.shell("grep Cpus_allowed_list /proc/self/status"));
      assert.match(seen.stdout, /\t0$/m);
      await exec.kill();
    },
  },
];
