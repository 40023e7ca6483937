/** `extras.openExec`: a further process as a handle (Appendix B), and `extras.resizeContainer`. */
import assert from "node:assert/strict";
import type { ExecProcess, ExecProcessOptions } from "../../runtime/extras.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { ContractCase, ContractContext } from "../contract.ts";
import { program, programs, step } from "../programs.ts";
import { aborter, eventually, patience, rejectsBecause, rejectsWith } from "./expect.ts";

const attached = { attachStdin: true, attachStdout: true, attachStderr: true } as const;

async function open(
  t: ContractContext,
  id: ContainerId,
  command: readonly string[],
  o: Partial<ExecProcessOptions> & { signal?: AbortSignal } = {},
): Promise<ExecProcess> {
  const { signal, ...options } = o;
  assert.ok(t.runtime.extras?.openExec !== undefined);
  return t.runtime.extras.openExec(id, { command, ...attached, ...options }, { signal });
}

async function text(handle: ExecProcess): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of handle.stream) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces).toString();
}

/** Reads until the text was seen, and goes on reading without a word. */
async function says(handle: ExecProcess, wanted: string): Promise<void> {
  let seen = "";
  await new Promise<void>((resolve, reject) => {
    handle.stream.on("data", (bytes: Buffer) => {
      seen += bytes.toString();
      if (seen.includes(wanted)) resolve();
    });
    handle.stream.once("end", () => reject(new Error(`it said only ${JSON.stringify(seen)}`)));
  });
}

/** A shell with a child, a grandchild in a session of its own, and one whose parent has gone: four processes of this name. */
const tree = (name: string): readonly string[] =>
  programs.shell(
    `sleep ${name} & setsid sh -c 'sleep ${name} & sleep ${name}' & sh -c 'setsid sleep ${name} >/dev/null 2>&1 &'; echo ready; wait; sleep ${name}`,
  );

async function alive(t: ContractContext, id: ContainerId, name: string): Promise<number> {
  return Number((await t.runtime.exec(id, programs.shell(`ps | grep -c '[s]leep ${name}'`))).stdout);
}

export const execHandleCases: readonly ContractCase[] = [
  {
    name: "an exec handle tells the code of a program that ends itself, also 137",
    needs: ["exec-handles"],
    run: async (t) => {
      const id = await t.service();
      for (const code of [0, 1, 42, 255]) {
        const handle = await open(t, id, programs.exitWith(code));
        assert.deepEqual(await handle.end, { kind: "exited", code });
        assert.equal(await handle.exit, code);
      }
      for (const [command, code] of [
        [programs.missing(), 127],
        [programs.notExecutable(), 126],
      ] as const)
        assert.deepEqual(await (await open(t, id, command)).end, { kind: "exited", code });
    },
  },
  {
    name: "an exec handle tells an own exit with 137 from a SIGKILL",
    needs: ["exec-handles", "wait-status"],
    run: async (t) => {
      const id = await t.service();
      const handle = await open(t, id, program(step.line("ready"), step.readLine(), step.exit(137)));
      await says(handle, "ready");
      await eventually("it has a pid", () => handle.pid !== undefined);
      handle.stream.write("go\n");
      assert.deepEqual(await handle.end, { kind: "exited", code: 137 });
    },
  },
  {
    name: "an exec handle tells the signal that ended the program, and kill sends any",
    needs: ["exec-handles"],
    run: async (t) => {
      const id = await t.service();
      for (const [signal, name, code] of [
        [undefined, "SIGKILL", 137],
        ["TERM", "SIGTERM", 143],
        ["SIGUSR1", "SIGUSR1", 138],
      ] as const) {
        const handle = await open(t, id, program(step.line("ready"), step.forever()));
        await says(handle, "ready");
        await handle.kill(signal);
        assert.deepEqual(await handle.end, { kind: "signalled", code, signal: name });
        assert.equal(await handle.exit, code);
        await handle.kill();
      }
      const trapped = await open(t, id, programs.forever({ onTerm: 9 }));
      await says(trapped, "ready");
      await rejectsWith("invalid_spec", trapped.kill("NONSENSE"));
      await trapped.kill("TERM");
      assert.deepEqual(await trapped.end, { kind: "exited", code: 9 });
    },
  },
  {
    name: "kill, timeoutMs and abort each end the whole tree of an exec, and nothing else",
    needs: ["exec-handles", "kernel"],
    run: async (t) => {
      const id = await t.service();
      const other = await open(t, id, programs.shell("echo ready; exec sleep 7000001"));
      await says(other, "ready");
      const { signal, abort } = aborter();
      const ways: readonly (readonly [string, Partial<ExecProcessOptions> & { signal?: AbortSignal }, (handle: ExecProcess) => void])[] = [
        ["signalled", {}, (handle) => void handle.kill()],
        ["timed_out", { timeoutMs: 4000 * patience }, () => {}],
        ["aborted", { signal }, () => abort()],
      ];
      for (const [kind, options, end] of ways) {
        const name = `7654${ways.findIndex(([one]) => one === kind)}21`;
        const handle = await open(t, id, tree(name), options);
        await says(handle, "ready");
        if (kind !== "timed_out") await eventually("the tree has grown", async () => (await alive(t, id, name)) >= 4);
        end(handle);
        assert.equal((await handle.end).kind, kind);
        await eventually("all of it is gone", async () => (await alive(t, id, name)) === 0);
      }
      assert.equal(await alive(t, id, "7000001"), 1);
      await other.kill();
      assert.deepEqual(await t.runtime.containerState(id), { state: "running" });
    },
  },
  {
    name: "a kill right after the start reaches what the program has started by then",
    needs: ["exec-handles", "kernel"],
    run: async (t) => {
      const id = await t.service();
      for (let round = 0; round < 8; round += 1) {
        const handle = await open(t, id, programs.shell("(setsid sleep 7333333 &) ; (setsid sleep 7333333 &) ; sleep 7333333"));
        if (round % 2 === 1) await new Promise((resolve) => setTimeout(resolve, 4 * round));
        await handle.kill();
        await handle.end;
      }
      await eventually("nothing is left", async () => (await alive(t, id, "7333333")) === 0);
    },
  },
  {
    name: "an exec that ends before its timeout has ended by itself",
    needs: ["exec-handles"],
    run: async (t) => {
      const id = await t.service();
      const handle = await open(t, id, programs.exitWith(3), { timeoutMs: 60_000 });
      assert.deepEqual(await handle.end, { kind: "exited", code: 3 });
      for (const timeoutMs of [0, -1, Number.NaN]) await rejectsWith("invalid_spec", open(t, id, programs.exitWith(0), { timeoutMs }));
    },
  },
  {
    name: "an exec handle whose signal is aborted already starts nothing",
    needs: ["exec-handles"],
    run: async (t) => {
      const id = await t.service();
      const { signal, reason, abort } = aborter();
      abort();
      await rejectsBecause(reason, open(t, id, programs.touch("/started"), { signal }));
      assert.equal((await t.runtime.exec(id, program(step.exists("/started")))).stdout, "no\n");
    },
  },
  {
    name: "a timeout ends a program that does not care for signals, and its output is kept",
    needs: ["exec-handles"],
    run: async (t) => {
      const id = await t.service();
      const handle = await open(t, id, program(step.ignore("TERM"), step.line("before"), step.forever()), { timeoutMs: 3000 * patience });
      assert.equal(await text(handle), "before\n");
      assert.deepEqual(await handle.end, { kind: "timed_out" });
    },
  },
  {
    name: "an exec handle learns that its container is gone",
    needs: ["exec-handles"],
    run: async (t) => {
      const removals: readonly ((id: ContainerId) => Promise<void>)[] = [(id) => t.runtime.stopContainer(id, 0), (id) => t.runtime.removeContainer(id)];
      for (const remove of removals) {
        const id = await t.service();
        const handle = await open(t, id, program(step.line("ready"), step.forever()));
        await says(handle, "ready");
        await remove(id);
        assert.deepEqual(await handle.end, { kind: "container_gone" });
        assert.equal(await handle.exit, 137);
        await handle.kill();
      }
    },
  },
  {
    name: "an exec handle that is left at the end of its scope ends its program",
    needs: ["exec-handles"],
    run: async (t) => {
      const id = await t.service();
      let end: ExecProcess["end"];
      {
        await using handle = await open(t, id, program(step.line("ready"), step.forever()));
        end = handle.end;
      }
      assert.equal((await end).kind, "signalled");
      await handleTwice(t, id);
    },
  },
  {
    name: "a terminal gets the size it was opened with",
    needs: ["exec-handles"],
    run: async (t) => {
      const id = await t.service();
      const handle = await open(t, id, program(step.windowSize()), { tty: true, size: { rows: 41, cols: 97 } });
      assert.equal((await text(handle)).trim(), "41 97");
      assert.deepEqual(await handle.end, { kind: "exited", code: 0 });
    },
  },
  {
    name: "the pid of an exec is one the host knows",
    needs: ["exec-handles", "topContainer", "kernel"],
    run: async (t) => {
      const id = await t.service();
      const handle = await open(t, id, program(step.line("ready"), step.forever()));
      await says(handle, "ready");
      await eventually("it has a pid", () => handle.pid !== undefined);
      const { processes } = await t.runtime.topContainer(id, ["-o", "pid,args"]);
      assert.ok(processes.some(([pid]) => pid === String(handle.pid)));
      await handle.kill();
    },
  },
  {
    name: "an exec lives under the limits of its container and does not see groups of others",
    needs: ["exec-handles", "kernel"],
    run: async (t) => {
      const id = await t.service({ resources: { memory: "64Mi", pidsLimit: 20 } });
      const other = await t.service();
      const handle = await open(t, id, programs.shell("cat /proc/self/cgroup; i=0; while [ $i -lt 40 ]; do sleep 3 & i=$((i+1)); done 2>&1; echo end"));
      const said = await text(handle);
      assert.match(said, /can't fork|cannot fork|Resource temporarily unavailable/i);
      assert.ok(!said.includes(other.service) && !said.includes(id.service), said);
      await handle.end;
    },
  },
  {
    name: "a privileged exec has every capability and no seccomp filter, a plain one keeps the container's",
    needs: ["exec-handles", "kernel"],
    run: async (t) => {
      const id = await t.service();
      const status = programs.shell("grep -E '^(Seccomp|CapEff|NoNewPrivs):' /proc/self/status");
      const [plain, privileged] = [await text(await open(t, id, status)), await text(await open(t, id, status, { privileged: true }))];
      assert.match(plain, /Seccomp:\t2/);
      assert.match(privileged, /Seccomp:\t0/);
      const capabilities = (said: string): bigint => BigInt(`0x${/CapEff:\t([0-9a-f]+)/.exec(said)?.[1] ?? "0"}`);
      assert.ok(capabilities(privileged) > capabilities(plain));
      assert.match((await t.runtime.exec(id, ["grep", "Seccomp:", "/proc/self/status"], { privileged: true })).stdout, /Seccomp:\t0/);
    },
  },
  {
    name: "a hundred sessions at once, with and without a terminal, each get their own answers",
    needs: ["exec-handles"],
    run: async (t) => {
      const id = await t.service();
      const numbers = Array.from({ length: 100 }, (_, number) => number);
      const answers = await Promise.all(
        numbers.map(async (number) => {
          const handle = await open(t, id, program(step.readLine(), step.exit(number)), { tty: number % 2 === 0 });
          handle.stream.write(`line ${number}\n`);
          const said = await text(handle);
          assert.ok(said.includes(`got:line ${number}`), said);
          return handle.end;
        }),
      );
      assert.deepEqual(
        answers,
        numbers.map((code) => ({ kind: "exited", code })),
      );
    },
  },
  {
    name: "the terminal of the main process takes another size, a container without one is a conflict",
    needs: ["exec-handles"],
    run: async (t) => {
      const resize = t.runtime.extras?.resizeContainer;
      assert.ok(resize !== undefined);
      const id = await t.start({ tty: true, stdinOpen: true, argv: program(step.line("ready"), step.await("/gate"), step.windowSize()) });
      await t.logged(id, "ready");
      await resize(id, 33, 77);
      await resize(id, 0, 0);
      await t.runtime.exec(id, programs.touch("/gate"));
      await t.logged(id, "33 77");
      await t.runtime.waitContainer(id);
      await rejectsWith("conflict", resize(id, 10, 10));
      await rejectsWith("conflict", resize(await t.service(), 10, 10));
      await rejectsWith("not_found", resize(t.newId(), 10, 10));
    },
  },
];

async function handleTwice(t: ContractContext, id: ContainerId): Promise<void> {
  const handle = await open(t, id, programs.exitWith(0));
  await handle.end;
  await handle[Symbol.asyncDispose]();
  await handle[Symbol.asyncDispose]();
}
