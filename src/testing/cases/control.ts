/** Methods 19, 39, 40, 42 and 45 beyond their basics in `stop-kill.ts`: what survives, what is told, what is left alone. */
import assert from "node:assert/strict";
import type { ContractCase } from "../contract.ts";
import { program, programs, step } from "../programs.ts";
import { eventually, rejectsWith } from "./expect.ts";

export const controlCases: readonly ContractCase[] = [
  {
    name: "after a rename every method works with the same id, also in another engine process",
    needs: ["renameContainer", "inspectDetailed", "reopen"],
    run: async (t) => {
      const id = await t.service();
      const before = await t.runtime.inspectDetailed(id);
      const name = `renamed-${id.service}`;
      await t.runtime.renameContainer(id, name);
      const other = await t.reopen();
      assert.equal((await other.inspectDetailed(id)).name, name);
      assert.equal((await other.inspectDetailed(id)).hexId, before.hexId);
      const listed = (await other.listContainers()).find((container) => container.containerId?.service === id.service);
      assert.equal(listed?.name, name);
      assert.equal((await other.exec(id, programs.exitWith(3))).exitCode, 3);
      assert.ok((await other.getLogs(id)).length > 0);
      await other.stopContainer(id, 0);
      await other.startContainer(id);
      assert.deepEqual(await t.runtime.containerState(id), { state: "running" });
      await other.removeContainer(id);
      await rejectsWith("not_found", t.runtime.containerState(id));
    },
  },
  {
    name: "a name that a rename gave up is free at once, for a rename and in every state",
    needs: ["renameContainer", "inspectDetailed"],
    run: async (t) => {
      const [created, { id: exited }] = [await t.create(), await t.finish({ argv: programs.exitWith(0) })];
      const { name: first = "" } = await t.runtime.inspectDetailed(created);
      await t.runtime.renameContainer(created, `a-${created.service}`);
      await t.runtime.renameContainer(exited, first);
      assert.equal((await t.runtime.inspectDetailed(exited)).name, first);
      await rejectsWith("conflict", t.runtime.renameContainer(created, `/${first}`));
    },
  },
  {
    name: "of two renames to one name at once exactly one wins",
    needs: ["renameContainer", "inspectDetailed"],
    run: async (t) => {
      const [a, b] = [await t.create(), await t.create()];
      const name = `wanted-${a.service}`;
      const done = await Promise.allSettled([t.runtime.renameContainer(a, name), t.runtime.renameContainer(b, name)]);
      assert.deepEqual(done.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    },
  },
  {
    name: "unknown containers are not_found for rename, pause, unpause, update and top",
    needs: ["renameContainer", "pauseContainer", "unpauseContainer", "topContainer", "updateContainerResources"],
    run: async (t) => {
      const id = t.newId();
      await rejectsWith("not_found", t.runtime.renameContainer(id, "some-name"));
      await rejectsWith("not_found", t.runtime.pauseContainer(id));
      await rejectsWith("not_found", t.runtime.unpauseContainer(id));
      await rejectsWith("not_found", t.runtime.topContainer(id, []));
      await rejectsWith("not_found", t.runtime.updateContainerResources(id, { pidsLimit: 10 }));
    },
  },
  {
    name: "a paused container stands still, and is still paused for another engine process",
    needs: ["pauseContainer", "unpauseContainer", "inspectDetailed", "reopen", "kernel"],
    run: async (t) => {
      const id = await t.start({ argv: programs.shell("echo ready; while :; do :; done") });
      await t.logged(id, "ready");
      await t.runtime.pauseContainer(id);
      const frozen = await t.runtime.getContainerStats(id);
      const other = await t.reopen();
      assert.deepEqual(await other.containerState(id), { state: "running" });
      assert.equal((await other.inspectDetailed(id)).paused, true);
      assert.equal((await other.listContainers()).find((one) => one.containerId?.service === id.service)?.paused, true);
      await rejectsWith("conflict", other.exec(id, programs.exitWith(0)));
      await rejectsWith("conflict", other.pauseContainer(id));
      assert.equal((await other.getContainerStats(id)).cpuUsageUsec, frozen.cpuUsageUsec);
      await other.unpauseContainer(id);
      assert.equal((await t.runtime.inspectDetailed(id)).paused, false);
      await eventually("more processor time", async () => (await t.runtime.getContainerStats(id)).cpuUsageUsec > frozen.cpuUsageUsec);
    },
  },
  {
    name: "a signal that is no stop stays pending while the container is paused",
    needs: ["pauseContainer", "unpauseContainer", "killContainer", "inspectDetailed"],
    run: async (t) => {
      const id = await t.start({ argv: program(step.trapPrint("HUP", "reloaded"), step.line("ready"), step.forever()) });
      await t.logged(id, "ready");
      await t.runtime.pauseContainer(id);
      await t.runtime.killContainer(id, "HUP");
      assert.equal((await t.runtime.inspectDetailed(id)).paused, true);
      assert.ok(!(await t.text(id)).includes("reloaded"));
      await t.runtime.unpauseContainer(id);
      await t.logged(id, "reloaded");
    },
  },
  {
    name: "a paused container can be removed, and an ended one is not paused any more",
    needs: ["pauseContainer", "inspectDetailed"],
    run: async (t) => {
      const removed = await t.service({ onTerm: "ignore" });
      await t.runtime.pauseContainer(removed);
      await t.runtime.removeContainer(removed);
      await rejectsWith("not_found", t.runtime.containerState(removed));
      const stopped = await t.service();
      await t.runtime.pauseContainer(stopped);
      await t.runtime.stopContainer(stopped, 5000);
      assert.equal((await t.runtime.inspectDetailed(stopped)).paused, false);
      await t.runtime.startContainer(stopped);
      assert.equal((await t.runtime.inspectDetailed(stopped)).paused, false);
    },
  },
  {
    name: "top shows the processes of the container alone, commands whole",
    needs: ["topContainer", "getContainerPid"],
    run: async (t) => {
      const [id, other] = [await t.service(), await t.service()];
      const { titles, processes } = await t.runtime.topContainer(id, []);
      assert.deepEqual(titles, ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]);
      assert.ok(processes.every((row) => row.length === titles.length));
      const pids = processes.map((row) => Number(row[1]));
      assert.ok(pids.includes((await t.runtime.getContainerPid(id)) ?? -1));
      assert.ok(!pids.includes((await t.runtime.getContainerPid(other)) ?? -1));
      const main = processes.find((row) => Number(row[1]) === pids[0]);
      assert.ok(main?.[7]?.startsWith("sh -c "), String(main));
      assert.match(main?.[4] ?? "", /^\d\d:\d\d$|^[A-Z][a-z]{2}\d\d$/);
    },
  },
  {
    name: "top takes columns, wants the pid among them and no other one of its name",
    needs: ["topContainer", "getContainerPid"],
    run: async (t) => {
      const id = await t.service();
      const { titles, processes } = await t.runtime.topContainer(id, ["-o", "pid,comm"]);
      assert.deepEqual(titles, ["PID", "COMMAND"]);
      assert.equal(
        processes.find((row) => Number(row[0]) === undefined),
        undefined,
      );
      assert.ok(
        processes.some(([, command]) => command === "sh"),
        JSON.stringify(processes),
      );
      await rejectsWith("invalid_spec", t.runtime.topContainer(id, ["-o", "comm"]));
      await rejectsWith("invalid_spec", t.runtime.topContainer(id, ["-o", "ppid=PID,comm"]));
    },
  },
  {
    name: "top shows processes that were exec'd, also while the container is paused, and is refused when it does not run",
    needs: ["topContainer", "execPty", "pauseContainer"],
    run: async (t) => {
      const id = await t.service();
      const running = await t.runtime.execPty(id, { command: programs.forever(), attachStdout: true });
      await new Promise((resolve) => running.stream.once("data", resolve));
      const commands = async (): Promise<number> =>
        (await t.runtime.topContainer(id, ["-ef"])).processes.filter((row) => row.at(-1)?.startsWith("sh -c ")).length;
      assert.equal(await commands(), 2);
      await t.runtime.pauseContainer(id);
      assert.equal(await commands(), 2);
      await t.runtime.killContainer(id);
      await rejectsWith("conflict", t.runtime.topContainer(id, []));
      await rejectsWith("conflict", t.runtime.topContainer(await t.create(), []));
    },
  },
  {
    name: "prune removes what was created, ended or failed and fits the filter, and leaves the rest",
    needs: ["pruneContainers"],
    run: async (t) => {
      const labels = { prune: t.newId().service };
      const created = await t.create({ labels });
      const { id: exited } = await t.finish({ labels, argv: program(step.append("/written", "x".repeat(2000)), step.exit(3)) });
      const failed = await t.create({ labels, argv: programs.missing() });
      await rejectsWith("start_failed", t.runtime.startContainer(failed));
      const running = await t.service({ labels });
      const other = await t.create();
      const hexIds = new Map((await t.runtime.listContainers()).map((one) => [one.containerId?.service, one.hexId]));
      const label = `prune=${labels.prune}`;
      assert.deepEqual((await t.runtime.pruneContainers({ labels: [label], until: new Date(0) })).deleted, []);
      assert.deepEqual((await t.runtime.pruneContainers({ labels: [label, "prune=other"] })).deleted, []);
      const { deleted, spaceReclaimed } = await t.runtime.pruneContainers({ labels: [label, "prune!=other"], until: new Date(Date.now() + 1000) });
      assert.deepEqual([...deleted].sort(), [created, exited, failed].map((id) => hexIds.get(id.service)).sort());
      assert.ok(spaceReclaimed >= 2000, `${spaceReclaimed} bytes`);
      for (const id of [created, exited, failed]) await rejectsWith("not_found", t.runtime.containerState(id));
      assert.deepEqual(await t.runtime.containerState(running), { state: "running" });
      assert.deepEqual(await t.runtime.containerState(other), { state: "pending" });
    },
  },
];
