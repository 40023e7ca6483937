/** Fields of contract 1.3.5, seen from inside on cgroup v2 and v1. */
import assert from "node:assert/strict";
import type { CaseSpec, ContractCase, ContractContext } from "../contract.ts";
import { programs } from "../programs.ts";

/** The first of these files that is there: the names of v2, then those of v1. */
async function cgroupFile(t: ContractContext, spec: CaseSpec, ...candidates: readonly string[]): Promise<string> {
  const paths = candidates.map((file) => `/sys/fs/cgroup/${file}`).join(" ");
  return await t.shell(`for f in ${paths}; do if [ -e $f ]; then cat $f; exit; fi; done; ls -R /sys/fs/cgroup | head -50; exit 1`, spec);
}

export const resourceFieldCases: readonly ContractCase[] = [
  {
    name: "a memory limit is the cgroup's",
    needs: ["kernel"],
    run: async (t) => {
      const spec = { resources: { memory: "32Mi" } };
      assert.equal(await cgroupFile(t, spec, "memory.max", "memory/memory.limit_in_bytes"), String(32 * 1024 * 1024));
    },
  },
  {
    name: "a program that exceeds its memory is killed and the outcome says so",
    needs: ["kernel", "oom"],
    run: async (t) => {
      const argv = programs.shell("exec tail /dev/zero");
      const id = await t.start({ argv, resources: { memory: "16Mi", memorySwap: "16Mi" } });
      const outcome = await t.runtime.waitOutcome(id);
      assert.deepEqual([outcome.exitCode, outcome.reason], [137, "oom_killed"]);
      assert.equal((await t.runtime.inspectDetailed(id)).oomKilled, true);
    },
  },
  {
    name: "a limit of processes holds",
    needs: ["kernel"],
    run: async (t) => {
      const spec = { resources: { pidsLimit: 20 } };
      assert.equal(await cgroupFile(t, spec, "pids.max", "pids/pids.max"), "20");
      const { code } = await t.finish({
        ...spec,
        argv: programs.shell("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22; do sleep 5 & done; exit 0"),
      });
      assert.notEqual(code, 0);
    },
  },
  {
    name: "cores become a quota",
    needs: ["kernel"],
    run: async (t) => {
      const seen = await cgroupFile(t, { resources: { cpu: 0.5 } }, "cpu.max", "cpu/cpu.cfs_quota_us", "cpu,cpuacct/cpu.cfs_quota_us");
      assert.equal(seen.split(" ")[0], "50000");
    },
  },
  {
    name: "shares become the weight",
    needs: ["kernel"],
    run: async (t) => {
      const seen = await cgroupFile(t, { resources: { cpuShares: 512 } }, "cpu.weight", "cpu/cpu.shares", "cpu,cpuacct/cpu.shares");
      assert.ok(["20", "512"].includes(seen), seen);
    },
  },
  {
    name: "a container runs on the processors it was given",
    needs: ["kernel"],
    run: async (t) => assert.equal(await t.shell("grep Cpus_allowed_list /proc/self/status | cut -f2", { resources: { cpuset: "0" } }), "0"),
  },
  {
    name: "the score of the out-of-memory killer is set",
    needs: ["kernel"],
    run: async (t) => assert.equal(await t.shell("cat /proc/self/oom_score_adj", { resources: { oomScoreAdj: 321 } }), "321"),
  },
  {
    name: "without limits there are none",
    needs: ["kernel"],
    run: async (t) => {
      const memory = await cgroupFile(t, {}, "memory.max", "memory/memory.limit_in_bytes");
      assert.ok(memory === "max" || Number(memory) > 2 ** 60, memory);
      assert.equal(await cgroupFile(t, {}, "pids.max", "pids/pids.max"), "max");
    },
  },
  {
    name: "a container does not see the cgroups of others and cannot change its own",
    needs: ["kernel"],
    run: async (t) => {
      // Version 1 has no rule against naming the host's path.
      const version2 = "[ -e /sys/fs/cgroup/cgroup.controllers ]";
      const seen = await t.shell(
        `${version2} && cut -d: -f3 /proc/self/cgroup || echo /; ls -d /sys/fs/cgroup/*/berth* 2>/dev/null | wc -l; mkdir /sys/fs/cgroup/x /sys/fs/cgroup/memory/x 2>/dev/null || echo refused`,
      );
      assert.equal(seen, "/\n0\nrefused");
    },
  },
];
