/** Restart policies (contract 1.3.7, 2.4, A-32): what is started again, when, and what stops that. */
import assert from "node:assert/strict";
import type { ContainerId } from "../../spec/container-id.ts";
import type { RestartPolicy } from "../../spec/service-spec.ts";
import type { ContractCase, ContractContext } from "../contract.ts";
import { program, programs, step } from "../programs.ts";
import { eventually, isPending } from "./expect.ts";

/** Long enough to look at a container between an exit and the start that follows. */
const later: RestartPolicy = { kind: "always", delay: "1h" };

async function state(t: ContractContext, id: ContainerId): Promise<string> {
  return (await t.runtime.containerState(id)).state;
}

/** Waits until the policy has started it this often. */
async function restarted(t: ContractContext, id: ContainerId, times: number): Promise<void> {
  await eventually(`${times} restarts`, async () => ((await t.runtime.inspectDetailed(id)).restartCount ?? 0) >= times, 15_000);
}

/** A container that has ended and waits for its restart. */
async function waiting(t: ContractContext, argv: readonly string[] = programs.exitWith(3)): Promise<ContainerId> {
  const id = await t.start({ argv, restartPolicy: later });
  await eventually("it waits for its restart", async () => (await state(t, id)) === "initializing");
  return id;
}

export const restartPolicyCases: readonly ContractCase[] = [
  {
    name: "always starts it again, whatever its code, in the same layer and with one log",
    needs: ["restart-policy"],
    run: async (t) => {
      const argv = program(step.append("/runs", "x"), step.cat("/runs"), step.line(""), step.exit(0));
      const id = await t.start({ argv, restartPolicy: { kind: "always" } });
      await restarted(t, id, 2);
      // Engines count a restart when it begins: the third run may not have said anything yet.
      await eventually("three runs have spoken", async () => /^x\nxx\nxxx\n/.test(await t.text(id)));
      await t.runtime.removeContainer(id);
    },
  },
  {
    name: "on_failure starts it again as often as allowed, then leaves it",
    needs: ["restart-policy"],
    run: async (t) => {
      const id = await t.start({ argv: program(step.line("run"), step.exit(9)), restartPolicy: { kind: "on_failure", maxAttempts: 2 } });
      await eventually("it is left alone", async () => (await state(t, id)) === "exited", 15_000);
      assert.deepEqual(await t.runtime.containerState(id), { state: "exited", code: 9 });
      assert.equal((await t.runtime.inspectDetailed(id)).restartCount, 2);
      assert.equal(await t.text(id), "run\nrun\nrun\n");
    },
  },
  {
    name: "on_failure leaves a success alone, no leaves everything alone",
    needs: ["restart-policy"],
    run: async (t) => {
      for (const [kind, code] of [
        ["on_failure", 0],
        ["no", 5],
      ] as const) {
        const { id } = await t.finish({ argv: programs.exitWith(code), restartPolicy: { kind } });
        assert.deepEqual(await t.runtime.containerState(id), { state: "exited", code });
      }
    },
  },
  {
    name: "between exit and restart it is initializing, with the exit in inspect and list",
    needs: ["restart-policy"],
    run: async (t) => {
      const id = await waiting(t);
      const { exitCode, pid, finishedAt } = await t.runtime.inspectDetailed(id);
      assert.equal(exitCode, 3);
      assert.equal(pid, undefined);
      assert.ok(finishedAt !== undefined);
      const listed = (await t.runtime.listContainers()).find(({ containerId }) => containerId?.service === id.service);
      assert.equal(listed?.state?.state, "initializing");
    },
  },
  {
    name: "a stop suspends the policy, a start of the user revives it and counts anew",
    needs: ["restart-policy"],
    run: async (t) => {
      for (const kind of ["always", "unless_stopped"] as const) {
        const id = await t.service({ restartPolicy: { kind, delay: 1 } });
        await t.runtime.stopContainer(id);
        assert.equal(await state(t, id), "exited");
        await new Promise((resolve) => setTimeout(resolve, 150));
        assert.equal(await state(t, id), "exited");
        await t.runtime.startContainer(id);
        assert.equal((await t.runtime.inspectDetailed(id)).restartCount, 0);
        await t.runtime.exec(id, programs.print(["x"]));
      }
    },
  },
  {
    name: "a stop while it waits gives the restart up, and waiters hear of it",
    needs: ["restart-policy"],
    run: async (t) => {
      const id = await waiting(t);
      const wait = t.runtime.waitContainer(id);
      const next = t.runtime.waitOutcomeWithCondition(id, "next-exit");
      next.catch(() => {});
      assert.ok(await isPending(wait), "between exit and restart a wait blocks");
      await t.runtime.stopContainer(id);
      assert.equal(await wait, 3);
      assert.ok(await isPending(next), "there was no further exit");
      assert.deepEqual(await t.runtime.containerState(id), { state: "exited", code: 3 });
      await t.runtime.removeContainer(id);
      await next;
    },
  },
  {
    name: "only SIGKILL and the stop signal count as a stop by the user",
    needs: ["restart-policy", "killContainer"],
    run: async (t) => {
      const service = (): Promise<ContainerId> =>
        t.service({
          restartPolicy: { kind: "always", delay: "1h" },
          argv: program(step.trapExit("HUP", 4), step.trapExit("TERM", 5), step.line("ready"), step.forever()),
        });
      const reloaded = await service();
      await t.runtime.killContainer(reloaded, "SIGHUP");
      await eventually("SIGHUP does not suspend the policy", async () => (await state(t, reloaded)) === "initializing");
      for (const signal of ["SIGTERM", "SIGKILL"]) {
        const id = await service();
        await t.runtime.killContainer(id, signal);
        await eventually(`${signal} suspends the policy`, async () => (await state(t, id)) === "exited");
      }
    },
  },
  {
    name: "an exit that is followed by a restart wakes who waited before it",
    needs: ["restart-policy"],
    run: async (t) => {
      const id = await t.create({ argv: program(step.await("/gate"), step.exit(6)), restartPolicy: later });
      const next = t.runtime.waitOutcomeWithCondition(id, "next-exit");
      await t.runtime.startContainer(id);
      const wait = t.runtime.waitContainer(id);
      await t.runtime.exec(id, programs.touch("/gate"));
      assert.equal(await wait, 6);
      assert.equal((await next).exitCode, 6);
    },
  },
  {
    name: "following the log goes on over restarts, without gap or repetition, until the removal",
    needs: ["restart-policy"],
    run: async (t) => {
      const argv = program(step.append("/runs", "x"), step.cat("/runs"), step.line(""), step.exit(0));
      const id = await t.create({ argv, restartPolicy: { kind: "always", delay: 1 } });
      await t.runtime.startContainer(id);
      const stream = await t.runtime.logsStream(id, { follow: true });
      let seen = "";
      let removal: Promise<void> | undefined;
      for await (const { bytes } of stream) {
        seen += Buffer.from(bytes).toString();
        if (seen.split("\n").length > 3) removal ??= t.runtime.removeContainer(id);
      }
      await removal;
      const lines = seen.split("\n").slice(0, -1);
      assert.ok(lines.length >= 3, seen);
      assert.deepEqual(
        lines,
        lines.map((_, index) => "x".repeat(index + 1)),
      );
    },
  },
  {
    name: "a start by hand does not wait for the delay, and removal works while it waits",
    needs: ["restart-policy"],
    run: async (t) => {
      const id = await waiting(t, program(step.append("/runs", "x"), step.exists("/go"), step.exit(3)));
      await t.runtime.startContainer(id);
      await eventually("the second run ended", async () => (await t.text(id)).split("\n").length > 2);
      await t.runtime.removeContainer(id);
    },
  },
  {
    name: "restarts are told as die and start, without a user's stop",
    needs: ["restart-policy", "events"],
    run: async (t) => {
      const stream = await t.runtime.extras?.events?.();
      assert.ok(stream !== undefined);
      const id = await t.start({ argv: programs.exitWith(2), restartPolicy: { kind: "on_failure", maxAttempts: 1 } });
      const actions: string[] = [];
      for await (const { containerId, action } of stream) {
        if (containerId?.service === id.service) actions.push(action);
        if (actions.filter((one) => one === "die").length === 2) break;
      }
      assert.deepEqual(actions, ["create", "start", "die", "start", "die"]);
    },
  },
];
