/** Methods 5 and 28: stop and kill, and their optional neighbours pause and rename. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { ContractCase, ContractContext } from "../contract.ts";
import { program, programs, step } from "../programs.ts";
import { aborter, eventually, isPending, rejectsBecause, rejectsWith } from "./expect.ts";

async function stateAfterStop(t: ContractContext, id: Parameters<ContractContext["runtime"]["containerState"]>[0]): Promise<number | string> {
  const state = await t.runtime.containerState(id);
  return state.state === "exited" ? state.code : state.state;
}

export const stopKillCases: readonly ContractCase[] = [
  {
    name: "stop lets the program end by its own code",
    needs: [],
    run: async (t) => {
      const id = await t.service({ onTerm: 42 });
      await t.runtime.stopContainer(id, 5000);
      assert.equal(await stateAfterStop(t, id), 42);
    },
  },
  {
    name: "stop kills a program that ignores the signal, after the timeout and not before",
    needs: [],
    run: async (t) => {
      const id = await t.service({ onTerm: "ignore" });
      const begun = performance.now();
      await t.runtime.stopContainer(id, 300);
      assert.ok(performance.now() - begun >= 290, "killed too early");
      assert.equal(await stateAfterStop(t, id), 137);
      assert.deepEqual((await t.runtime.waitOutcome(id)).reason, "signal");
    },
  },
  {
    name: "stop with timeout 0 kills at once",
    needs: [],
    run: async (t) => {
      const id = await t.service({ onTerm: "ignore", stopGracePeriod: "1h" });
      await t.runtime.stopContainer(id, 0);
      assert.equal(await stateAfterStop(t, id), 137);
    },
  },
  {
    name: "stop without a timeout takes the spec's",
    needs: [],
    run: async (t) => {
      const id = await t.service({ onTerm: "ignore", stopGracePeriod: "200ms" });
      await t.runtime.stopContainer(id);
      assert.equal(await stateAfterStop(t, id), 137);
    },
  },
  ...([-1, Number.POSITIVE_INFINITY] as const).map(
    (timeoutMs): ContractCase => ({
      name: `stop with timeout ${timeoutMs} never kills`,
      needs: ["killContainer"],
      run: async (t) => {
        const id = await t.service({ onTerm: "ignore", stopGracePeriod: 50 });
        const stopping = t.runtime.stopContainer(id, timeoutMs);
        assert.ok(await isPending(stopping, 250));
        await t.runtime.killContainer(id);
        await stopping;
        assert.equal(await stateAfterStop(t, id), 137);
      },
    }),
  ),
  {
    name: "stop of a container that does not run succeeds and changes nothing",
    needs: [],
    run: async (t) => {
      const never = await t.create();
      await t.runtime.stopContainer(never);
      assert.deepEqual(await t.runtime.containerState(never), { state: "pending" });
      const { id } = await t.finish({ argv: programs.exitWith(4) });
      await t.runtime.stopContainer(id);
      assert.equal(await stateAfterStop(t, id), 4);
    },
  },
  {
    name: "of two stops at once the shorter deadline wins and both resolve",
    needs: [],
    run: async (t) => {
      const id = await t.service({ onTerm: "ignore" });
      await Promise.all([t.runtime.stopContainer(id, 60_000), t.runtime.stopContainer(id, 200)]);
      assert.equal(await stateAfterStop(t, id), 137);
    },
  },
  ...(
    [
      ["the spec's stop signal", { stopSignal: "SIGUSR2" }, "USR2", undefined],
      ["a stop signal given by number", { stopSignal: "10" }, "USR1", undefined],
      ["the call's stop signal before the spec's", { stopSignal: "SIGUSR2" }, "HUP", "SIGHUP"],
    ] as const
  ).map(
    ([what, spec, trapped, option]): ContractCase => ({
      name: `stop sends ${what}`,
      needs: [],
      run: async (t) => {
        const id = await t.service({ ...spec, argv: program(step.trapExit(trapped, 33), step.line("ready"), step.forever()) });
        await t.runtime.stopContainer(id, 5000, { stopSignal: option });
        assert.equal(await stateAfterStop(t, id), 33);
      },
    }),
  ),
  {
    name: "stop sends the image's stop signal when nobody says otherwise",
    needs: [],
    run: async (t) => {
      const argv = program(step.trapExit("USR1", 21), step.line("ready"), step.forever());
      const id = await t.service({ image: t.images.configured, command: { entrypoint: argv }, argv: undefined });
      await t.runtime.stopContainer(id, 5000);
      assert.equal(await stateAfterStop(t, id), 21);
    },
  },
  {
    name: "stop with an unknown signal is refused and sends nothing",
    needs: [],
    run: async (t) => {
      const id = await t.service();
      await rejectsWith("invalid_spec", t.runtime.stopContainer(id, 100, { stopSignal: "SIGNOPE" }));
      assert.deepEqual(await t.runtime.containerState(id), { state: "running" });
    },
  },
  {
    name: "an aborted stop lets its caller go and is done all the same",
    needs: [],
    run: async (t) => {
      const id = await t.service({ onTerm: "ignore" });
      const { signal, reason, abort } = aborter();
      const stopping = t.runtime.stopContainer(id, 300, { signal });
      abort();
      await rejectsBecause(reason, stopping);
      assert.equal(await t.runtime.waitContainer(id), 137);
    },
  },
  {
    name: "no process of a container outlives its stop",
    needs: ["kernel"],
    run: async (t) => {
      const script = "setsid sleep 987654 & echo child $!; trap 'exit 0' TERM; echo ready; sleep 1000000 & while :; do wait $!; done";
      const id = await t.start({ argv: programs.shell(script), pidMode: "host" });
      await t.logged(id, "ready");
      const pid = /child (\d+)/.exec(await t.text(id))?.[1] ?? "";
      assert.ok(isAlive(pid));
      await t.runtime.stopContainer(id, 2000);
      await eventually("the child is gone", () => !isAlive(pid), 1000);
    },
  },
  {
    name: "kill without a signal is SIGKILL and resolves when the exit is recorded",
    needs: ["killContainer"],
    run: async (t) => {
      const id = await t.service({ onTerm: "ignore" });
      await t.runtime.killContainer(id);
      assert.deepEqual(await t.runtime.containerState(id), { state: "exited", code: 137 });
      assert.equal((await t.runtime.waitOutcome(id)).signal, "SIGKILL");
    },
  },
  {
    name: "kill delivers a signal the program handles, and it goes on",
    needs: ["killContainer"],
    run: async (t) => {
      const id = await t.service({ argv: program(step.trapPrint("USR1", "one"), step.trapPrint("HUP", "two"), step.line("ready"), step.forever()) });
      await t.runtime.killContainer(id, "SIGUSR1");
      await t.logged(id, "one");
      await t.runtime.killContainer(id, "hup");
      await t.logged(id, "two");
      assert.deepEqual(await t.runtime.containerState(id), { state: "running" });
    },
  },
  {
    name: "kill takes six names in any spelling and nothing else",
    needs: ["killContainer"],
    run: async (t) => {
      const id = await t.service({ argv: program(...["TERM", "INT", "HUP", "USR1", "USR2"].map(step.ignore), step.line("ready"), step.forever()) });
      for (const name of ["SIGTERM", "int", " SigHup ", "USR1", "sigusr2"]) await t.runtime.killContainer(id, name);
      for (const name of ["", "STOP", "9", "SIGNOPE", "TERM INT"]) await rejectsWith("invalid_spec", t.runtime.killContainer(id, name));
      assert.deepEqual(await t.runtime.containerState(id), { state: "running" });
      await t.runtime.killContainer(id, "kill");
      assert.equal(await stateAfterStop(t, id), 137);
    },
  },
  {
    name: "kill with anySignal takes every Linux signal",
    needs: ["killContainer"],
    run: async (t) => {
      const id = await t.service({ argv: program(step.trapExit("WINCH", 28), step.line("ready"), step.forever()) });
      await rejectsWith("invalid_spec", t.runtime.killContainer(id, "SIGNOPE", { anySignal: true }));
      await t.runtime.killContainer(id, "WINCH", { anySignal: true });
      assert.equal(await t.runtime.waitContainer(id), 28);
    },
  },
  {
    name: "kill of a container that does not run is a conflict",
    needs: ["killContainer"],
    run: async (t) => {
      await rejectsWith("conflict", t.runtime.killContainer(await t.create()));
      const { id } = await t.finish({ argv: programs.exitWith(0) });
      await rejectsWith("conflict", t.runtime.killContainer(id, "TERM"));
    },
  },
  {
    name: "a paused container is running, says so and does nothing until it is unpaused",
    needs: ["pauseContainer", "unpauseContainer", "inspectDetailed"],
    run: async (t) => {
      const id = await t.service();
      await t.runtime.pauseContainer(id);
      assert.deepEqual(await t.runtime.containerState(id), { state: "running" });
      assert.equal((await t.runtime.inspectDetailed(id)).paused, true);
      await rejectsWith("conflict", t.runtime.pauseContainer(id));
      await rejectsWith("conflict", t.runtime.exec(id, programs.exitWith(0)));
      await rejectsWith("conflict", t.runtime.startContainer(id));
      await t.runtime.unpauseContainer(id);
      assert.equal((await t.runtime.inspectDetailed(id)).paused, false);
      await rejectsWith("conflict", t.runtime.unpauseContainer(id));
      assert.equal((await t.runtime.exec(id, programs.exitWith(6))).exitCode, 6);
    },
  },
  {
    name: "stop ends a paused container by its own code, kill ends it at once",
    needs: ["pauseContainer", "killContainer"],
    run: async (t) => {
      const stopped = await t.service({ onTerm: 12 });
      await t.runtime.pauseContainer(stopped);
      await t.runtime.stopContainer(stopped, 5000);
      assert.equal(await stateAfterStop(t, stopped), 12);
      const killed = await t.service({ onTerm: "ignore" });
      await t.runtime.pauseContainer(killed);
      await t.runtime.killContainer(killed);
      assert.equal(await stateAfterStop(t, killed), 137);
    },
  },
  {
    name: "pause of a container that does not run is a conflict",
    needs: ["pauseContainer", "unpauseContainer"],
    run: async (t) => {
      const id = await t.create();
      await rejectsWith("conflict", t.runtime.pauseContainer(id));
      await rejectsWith("conflict", t.runtime.unpauseContainer(id));
    },
  },
  {
    name: "rename changes the name, frees the old one and nothing else",
    needs: ["renameContainer", "inspectDetailed"],
    run: async (t) => {
      const id = await t.service();
      const before = await t.runtime.inspectDetailed(id);
      await t.runtime.renameContainer(id, ` /renamed-${id.service} `);
      const after = await t.runtime.inspectDetailed(id);
      assert.equal(after.name, `renamed-${id.service}`);
      assert.equal(after.hexId, before.hexId);
      assert.equal((await t.runtime.exec(id, programs.exitWith(2))).exitCode, 2);
      await t.runtime.renameContainer(id, before.name ?? "");
    },
  },
  {
    name: "rename refuses bad names, its own and another's",
    needs: ["renameContainer", "inspectDetailed"],
    run: async (t) => {
      const first = await t.create();
      const second = await t.create();
      const { name = "" } = await t.runtime.inspectDetailed(first);
      for (const bad of ["", "/", "x", "-x", "a b", "a/b", name]) await rejectsWith("invalid_spec", t.runtime.renameContainer(first, bad));
      await rejectsWith("conflict", t.runtime.renameContainer(second, name));
    },
  },
];

function isAlive(pid: string): boolean {
  try {
    // A zombie has no command line any more.
    return readFileSync(`/proc/${pid}/cmdline`).length > 0;
  } catch {
    return false;
  }
}
