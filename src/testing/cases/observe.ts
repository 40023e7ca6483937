/** Methods 7, 13, 14, 38, 44 and 46, and what holds for every method. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { runtimeMethods } from "../../runtime/capabilities.ts";
import type { RuntimeContainerSummary } from "../../runtime/types.ts";
import { type ContainerId, containerIdToString, sameContainerId } from "../../spec/container-id.ts";
import type { ContractCase, ContractContext } from "../contract.ts";
import { callWithAnything } from "../call-with-anything.ts";
import { programs } from "../programs.ts";
import { rejectsWith } from "./expect.ts";

async function listed(t: ContractContext, id: ContainerId): Promise<RuntimeContainerSummary | undefined> {
  return (await t.runtime.listContainers()).find((one) => one.containerId !== undefined && sameContainerId(one.containerId, id));
}

const perContainer = runtimeMethods.filter(
  (method) => !/Image|image|listContainers|pruneContainers|createContainer/.test(method) || method === "exportContainerFs",
);

export const observeCases: readonly ContractCase[] = [
  {
    name: "every method about a container says not found for one nobody knows",
    needs: [],
    run: async (t) => {
      const supported = perContainer.filter((method) => !["unsupported", "neutral"].includes(t.runtime.capabilities[method].support));
      for (const method of supported) {
        const id = t.newId();
        const error = await rejectsWith("not_found", callWithAnything(t.runtime, method, id, t.images.demo));
        assert.ok(error.message.includes(containerIdToString(id)), `${method}: ${error.message}`);
      }
    },
  },
  {
    name: "inspect shows the description as it was completed, where the backend keeps it",
    needs: ["inspectDetailed"],
    run: async (t) => {
      const id = await t.create({ argv: programs.forever(), env: { OPEN: "yes" }, stopGracePeriod: "3s", restartPolicy: { kind: "always" } });
      const { spec } = await t.runtime.inspectDetailed(id);
      if (spec === undefined) return;
      assert.equal(spec.env?.["OPEN"], "yes");
      assert.equal(spec.stopGracePeriod, 3000);
      assert.equal(spec.restartPolicy?.kind, "always");
      assert.equal(spec.lifecycle?.deleteOnExit, false);
    },
  },
  {
    name: "inspect and list know a container from its creation to its removal",
    needs: ["inspectDetailed", "listContainers"],
    run: async (t) => {
      const labels = { "dev.example.key": "välue with spaces", empty: "" };
      const id = await t.create({ argv: programs.forever(), labels });
      const created = await t.runtime.inspectDetailed(id);
      assert.match(created.hexId ?? "", /^[0-9a-f]{64}$/);
      assert.deepEqual(created.labels, labels);
      assert.equal(created.startedAt, undefined);
      assert.equal(created.exitCode, undefined);
      assert.ok(created.createdAt !== undefined && Math.abs(created.createdAt.getTime() - Date.now()) < 10_000);
      assert.deepEqual((await listed(t, id))?.state, { state: "pending" });

      await t.runtime.startContainer(id);
      await t.logged(id, "ready");
      const running = await t.runtime.inspectDetailed(id);
      assert.equal(running.hexId, created.hexId);
      assert.equal(running.pid, await t.runtime.getContainerPid(id));
      assert.ok((running.startedAt?.getTime() ?? 0) >= created.createdAt.getTime());
      assert.equal(running.exitCode, undefined);
      assert.notEqual(running.paused, true);
      assert.deepEqual((await listed(t, id))?.state, { state: "running" });

      await t.runtime.stopContainer(id);
      const exited = await t.runtime.inspectDetailed(id);
      assert.equal(exited.exitCode, 0);
      assert.equal(exited.pid, undefined);
      assert.ok((exited.finishedAt?.getTime() ?? 0) >= (exited.startedAt?.getTime() ?? Number.POSITIVE_INFINITY));
      const summary = await listed(t, id);
      assert.deepEqual([summary?.state, summary?.hexId, summary?.labels], [{ state: "exited", code: 0 }, created.hexId, labels]);

      await t.runtime.removeContainer(id);
      assert.equal(await listed(t, id), undefined);
    },
  },
  {
    name: "inspect tells image, command, environment, directory, user, host name and terminal",
    needs: ["inspectDetailed"],
    run: async (t) => {
      const id = await t.create({ image: t.images.configured, env: { MINE: "yes" }, hostname: "box", user: "1000:1000", networkMode: "bridge" });
      const details = await t.runtime.inspectDetailed(id);
      assert.equal(details.image, t.images.configured);
      assert.match(details.imageId ?? "", /^sha256:[0-9a-f]{64}$/);
      assert.deepEqual(details.command, ["/demo/show-args", "entry", "cmd-a", "cmd b"]);
      assert.ok(details.env?.includes("MINE=yes") && details.env.includes("FROM_IMAGE=1"), JSON.stringify(details.env));
      assert.equal(details.workingDir, "/demo/work");
      assert.equal(details.user, "1000:1000");
      assert.equal(details.hostname, "box");
      assert.equal(details.tty, false);
      assert.ok((details.name ?? "") !== "");
    },
  },
  {
    name: "a list with details tells of each container what list and inspect tell",
    needs: ["listContainers", "inspectDetailed"],
    run: async (t) => {
      const { extras } = t.runtime;
      if (extras?.listDetailed === undefined) return;
      const [created, running, ended] = [await t.create({ networkMode: "bridge" }), await t.service({ networkMode: "bridge" }), await t.service()];
      await t.runtime.stopContainer(ended);
      const all = await extras.listDetailed();
      for (const id of [created, running, ended]) {
        const found = all.find(({ summary }) => summary.containerId !== undefined && sameContainerId(summary.containerId, id));
        assert.deepEqual(found, { summary: await listed(t, id), details: await t.runtime.inspectDetailed(id) });
      }
    },
  },
  {
    name: "the id label of the caller is what list answers",
    needs: ["listContainers"],
    run: async (t) => {
      const label = "ab".repeat(32);
      const id = await t.create({ labels: { "dev.berth.container_id": label } });
      assert.equal((await listed(t, id))?.containerIdLabel, label);
    },
  },
  {
    name: "list holds all containers while others come and go",
    needs: ["listContainers"],
    run: async (t) => {
      const stable = await Promise.all(Array.from({ length: 5 }, () => t.create()));
      const churn = Promise.all(
        Array.from({ length: 5 }, async () => {
          const id = await t.create();
          await t.runtime.removeContainer(id);
        }),
      );
      for (let look = 0; look < 10; look++) {
        const seen = await t.runtime.listContainers();
        for (const id of stable) assert.ok(seen.some((one) => one.containerId !== undefined && sameContainerId(one.containerId, id)));
      }
      await churn;
    },
  },
  {
    name: "the pid is that of a live process of this host, and none when nothing runs",
    needs: ["kernel"],
    run: async (t) => {
      const id = await t.service();
      const pid = await t.runtime.getContainerPid(id);
      assert.ok(pid !== undefined && existsSync(`/proc/${pid}/stat`));
      await t.runtime.stopContainer(id);
      assert.equal(await t.runtime.getContainerPid(id), undefined);
      assert.equal(existsSync(`/proc/${pid}/stat`), false);
    },
  },
  {
    name: "state, details and log of running and ended containers are there for whoever opens the state next",
    needs: ["reopen", "inspectDetailed", "listContainers"],
    run: async (t) => {
      const running = await t.service();
      const { id: ended } = await t.finish({ argv: programs.exitWith(11) });
      const pending = await t.create();
      const failed = await t.create({ argv: programs.missing() });
      await rejectsWith("start_failed", t.runtime.startContainer(failed));
      const second = await t.reopen();
      for (const id of [running, ended, pending, failed]) {
        assert.deepEqual(await second.containerState(id), await t.runtime.containerState(id));
        assert.deepEqual(await second.inspectDetailed(id), await t.runtime.inspectDetailed(id));
      }
      const keys = (list: readonly RuntimeContainerSummary[]): readonly string[] => list.map((one) => one.runtimeId).sort();
      assert.deepEqual(keys(await second.listContainers()), keys(await t.runtime.listContainers()));
      await second.stopContainer(running);
      assert.deepEqual(await t.runtime.containerState(running), { state: "exited", code: 0 });
    },
  },
  {
    name: "a container created in one opened runtime can be run and removed in another",
    needs: ["reopen"],
    run: async (t) => {
      const id = await t.create({ argv: programs.exitWith(13) });
      const second = await t.reopen();
      await second.startContainer(id);
      assert.equal(await t.runtime.waitContainer(id), 13);
      await second.removeContainer(id);
      await rejectsWith("not_found", t.runtime.containerState(id));
    },
  },
  {
    name: "one container runs once although two opened runtimes start it at the same time",
    needs: ["reopen"],
    run: async (t) => {
      const id = await t.create({ argv: programs.forever() });
      const second = await t.reopen();
      await Promise.all([t.runtime.startContainer(id), second.startContainer(id)]);
      await t.logged(id, "ready");
      assert.equal(await t.text(id), "ready\n");
    },
  },
  {
    name: "a closed runtime can be closed again",
    needs: ["reopen"],
    run: async (t) => {
      const second = await t.reopen();
      await second.close();
      await second.close();
      await second[Symbol.asyncDispose]();
    },
  },
];
