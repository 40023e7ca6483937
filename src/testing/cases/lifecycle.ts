/** Methods 3, 4 and 6: create, start, restart, remove. */
import assert from "node:assert/strict";
import { isBerthError } from "../../errors.ts";
import { containerId, containerIdToString } from "../../spec/container-id.ts";
import type { ServiceSpec } from "../../spec/service-spec.ts";
import type { CaseSpec, ContractCase } from "../contract.ts";
import { program, programs, step } from "../programs.ts";
import { aborter, eventually, isPending, rejectsBecause, rejectsWith } from "./expect.ts";

/** What no backend may accept, and the word its message must hold. */
const badSpecs: readonly (readonly [string, CaseSpec & Readonly<Record<string, unknown>>, RegExp])[] = [
  ["an unknown field", { comand: {} }, /comand/],
  ["no command at all", { command: { entrypoint: [], args: [] } }, /command/],
  ["a relative working directory", { command: { workdir: "somewhere" } }, /workdir/],
  ["a variable without a name", { env: { "": "x" } }, /env/],
  ["a variable the engine has not", { env: { A: "$E:BERTH_NO_SUCH_VARIABLE" } }, /BERTH_NO_SUCH_VARIABLE/],
  ["an unknown stop signal", { stopSignal: "SIGNOPE" }, /stopSignal/],
  ["an unknown capability", { capabilities: ["CAP_NOPE"] }, /NOPE/],
  ["an unknown security option", { securityOpt: ["nope=1"] }, /nope/],
  ["a soft limit above the hard one", { ulimits: { nofile: { soft: 20, hard: 10 } } }, /nofile/],
  ["an unknown ulimit", { ulimits: { nope: { soft: 1 } } }, /nope/],
  ["a relative mount target", { storage: [{ type: "tmpfs", target: "tmp" }] }, /target/],
  ["a volume with a bad name", { storage: [{ type: "named", name: "No/Good", target: "/v" }] }, /name/],
  ["a port out of range", { networkMode: "bridge", portMappings: [{ containerPort: 70000 }] }, /containerPort/],
  ["no processor at all", { resources: { cpu: 0 } }, /cpu/],
  ["a swap limit without a memory limit", { resources: { memorySwap: "64Mi" } }, /memory/],
  ["removal on exit with a restart policy", { lifecycle: { deleteOnExit: true }, restartPolicy: { kind: "always" } }, /restartPolicy|deleteOnExit/],
  ["an extra host without an address", { networkMode: "bridge", extraHosts: ["nope"] }, /extraHosts/],
  ["a host name beside that of the host", { hostname: "own", utsMode: "host" }, /hostname/],
  ["a range of ports without a beginning", { networkMode: "bridge", portMappings: [{ containerPort: 80, hostPortEnd: 90 }] }, /hostPortEnd/],
  ["a resolver option of two lines", { networkMode: "bridge", dnsOptions: ["a\nb"] }, /dnsOptions/],
  ["a resolver that is no address", { networkMode: "bridge", dns: ["resolver.example"] }, /dns/],
];

/** argv out of image and spec; the image says entrypoint `/demo/show-args entry` and command `cmd-a`, `cmd b`. */
const argvTable: readonly (readonly [string, ServiceSpec["command"], readonly string[]])[] = [
  ["neither: both of the image", {}, ["/demo/show-args", "entry", "cmd-a", "cmd b"]],
  ["args replace the image's command", { args: ["mine"] }, ["/demo/show-args", "entry", "mine"]],
  ["an entrypoint drops the image's command", { entrypoint: ["/bin/true"] }, ["/bin/true"]],
  ["entrypoint and args", { entrypoint: ["/bin/true"], args: ["x"] }, ["/bin/true", "x"]],
  ["an empty entrypoint clears the image's", { entrypoint: [], args: ["/bin/true"] }, ["/bin/true"]],
  ["empty args clear the image's command", { args: [] }, ["/demo/show-args", "entry"]],
];

export const lifecycleCases: readonly ContractCase[] = [
  {
    name: "create leaves a pending container in which nothing has run",
    needs: [],
    run: async (t) => {
      const id = await t.create({ argv: programs.print(["ran"]) });
      assert.deepEqual(await t.runtime.containerState(id), { state: "pending" });
      assert.equal(await t.runtime.getContainerPid(id), undefined);
      assert.deepEqual(await t.runtime.getLogs(id), []);
    },
  },
  {
    name: "create of an id that exists is a conflict and leaves the first one alone",
    needs: [],
    run: async (t) => {
      const id = await t.create({ labels: { which: "first" } });
      await rejectsWith("conflict", t.runtime.createContainer(id, t.spec({ labels: { which: "second" } })));
      assert.equal((await t.runtime.inspectDetailed(id)).labels?.["which"] ?? "first", "first");
    },
  },
  {
    name: "of eight creates of one id at once exactly one succeeds",
    needs: [],
    run: async (t) => {
      const id = t.newId();
      t.defer(() => t.runtime.removeContainer(id));
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => t.runtime.createContainer(id, t.spec())));
      assert.equal(results.filter((result) => result.status === "fulfilled").length, 1);
      for (const result of results)
        assert.ok(result.status === "fulfilled" || isBerthError(result.reason, "conflict"), String("reason" in result && result.reason));
    },
  },
  {
    name: "create with a name another container has is a conflict",
    needs: [],
    run: async (t) => {
      const first = await t.create();
      const second = containerId({ service: `standalone-berth-${containerIdToString(first)}` });
      await rejectsWith("conflict", t.runtime.createContainer(second, t.spec()));
      await rejectsWith("not_found", t.runtime.containerState(second));
    },
  },
  {
    name: "create never pulls: an image that is not here is not found, by name",
    needs: [],
    run: async (t) => {
      const id = t.newId();
      const reference = await t.images.fresh();
      const error = await rejectsWith("not_found", t.runtime.createContainer(id, t.spec({ image: reference })));
      assert.ok(error.message.includes(reference), error.message);
      await rejectsWith("not_found", t.runtime.containerState(id));
    },
  },
  ...badSpecs.map(
    ([what, spec, word]): ContractCase => ({
      name: `create refuses ${what} and leaves nothing behind`,
      needs: [],
      run: async (t) => {
        const id = t.newId();
        const error = await rejectsWith("invalid_spec", t.runtime.createContainer(id, t.spec(spec)));
        assert.match(error.message, word);
        await rejectsWith("not_found", t.runtime.containerState(id));
      },
    }),
  ),
  ...argvTable.map(
    ([what, command, expected]): ContractCase => ({
      name: `argv: ${what}`,
      needs: ["inspectDetailed"],
      run: async (t) => {
        const id = await t.create({ image: t.images.configured, command });
        assert.deepEqual((await t.runtime.inspectDetailed(id)).command, expected);
      },
    }),
  ),
  {
    name: "argv reaches the program word by word",
    needs: [],
    run: async (t) => {
      const { stdout } = await t.finish({ image: t.images.configured, command: { args: ["a b", "", "$HOME", "ü*"] } });
      assert.equal(stdout, "entry\na b\n\n$HOME\nü*\n");
    },
  },
  {
    name: "start runs the program and a second start changes nothing",
    needs: [],
    run: async (t) => {
      const id = await t.service();
      assert.deepEqual(await t.runtime.containerState(id), { state: "running" });
      const pid = await t.runtime.getContainerPid(id);
      await t.runtime.startContainer(id);
      assert.equal(await t.runtime.getContainerPid(id), pid);
      assert.equal(await t.text(id), "ready\n");
    },
  },
  {
    name: "eight starts at once run the program once",
    needs: [],
    run: async (t) => {
      const id = await t.create({ argv: programs.forever() });
      await Promise.all(Array.from({ length: 8 }, () => t.runtime.startContainer(id)));
      await t.logged(id, "ready");
      assert.equal(await t.text(id), "ready\n");
    },
  },
  ...[0, 1, 42, 255].map(
    (code): ContractCase => ({
      name: `a program's exit code ${code} is what wait and state say`,
      needs: [],
      run: async (t) => {
        const id = await t.start({ argv: programs.exitWith(code) });
        const outcome = await t.runtime.waitOutcome(id);
        assert.equal(outcome.exitCode, code);
        assert.equal(outcome.reason, "exited");
        assert.equal(outcome.signal, undefined);
        assert.deepEqual(await t.runtime.containerState(id), { state: "exited", code });
      },
    }),
  ),
  ...(
    [
      ["TERM", 143],
      ["SEGV", 139],
      ["KILL", 137],
    ] as const
  ).map(
    ([signal, code]): ContractCase => ({
      name: `a program that dies of SIG${signal} gives ${code} and the signal's name`,
      needs: [],
      run: async (t) => {
        // The first process of a pid namespace ignores what it has no handler for; in the host's it does not.
        const id = await t.start({ argv: program(step.die(signal)), pidMode: "host" });
        const { exitCode, reason, signal: name } = await t.runtime.waitOutcome(id);
        assert.deepEqual({ exitCode, reason, name }, { exitCode: code, reason: "signal", name: `SIG${signal}` });
      },
    }),
  ),
  {
    name: "a program's own exit(137) is an exit and no signal",
    needs: ["wait-status"],
    run: async (t) => {
      const id = await t.start({ argv: programs.exitWith(137) });
      const { exitCode, reason, signal } = await t.runtime.waitOutcome(id);
      assert.deepEqual({ exitCode, reason, signal }, { exitCode: 137, reason: "exited", signal: undefined });
    },
  },
  ...(
    [
      ["missing", 127],
      ["notExecutable", 126],
    ] as const
  ).map(
    ([which, code]): ContractCase => ({
      name: `a program that is ${which === "missing" ? "missing" : "not executable"} fails the start with ${code}, which is remembered`,
      needs: [],
      run: async (t) => {
        const id = await t.create({ argv: programs[which]() });
        for (const _attempt of [1, 2]) {
          const error = await rejectsWith("start_failed", t.runtime.startContainer(id));
          assert.equal(error.fields.exitCode, code);
          assert.ok(error.message.includes(programs[which]()[0] ?? ""), error.message);
          const state = await t.runtime.containerState(id);
          assert.ok(state.state === "failed" && state.reason !== "", JSON.stringify(state));
          const outcome = await t.runtime.waitOutcome(id);
          assert.deepEqual([outcome.exitCode, outcome.reason], [code, "runtime_error"]);
          assert.equal(await t.runtime.getContainerPid(id), undefined);
        }
      },
    }),
  ),
  {
    name: "ten runs of one container keep its files, log and codes",
    needs: [],
    run: async (t) => {
      const id = await t.create({ argv: program(step.append("/count", "x\n"), step.cat("/count"), step.line("--")) });
      for (let run = 1; run <= 10; run++) {
        await t.runtime.startContainer(id);
        assert.equal(await t.runtime.waitContainer(id), 0);
      }
      const expected = Array.from({ length: 10 }, (_, n) => `${"x\n".repeat(n + 1)}--\n`).join("");
      assert.equal(await t.text(id), expected);
    },
  },
  {
    name: "start, stop and start again works any number of times",
    needs: [],
    run: async (t) => {
      const id = await t.create({ argv: programs.forever({ onTerm: 7 }) });
      for (let run = 1; run <= 4; run++) {
        await t.runtime.startContainer(id);
        await eventually("the program is ready", async () => (await t.text(id)) === "ready\n".repeat(run));
        await t.runtime.stopContainer(id);
        assert.deepEqual(await t.runtime.containerState(id), { state: "exited", code: 7 });
      }
    },
  },
  {
    name: "a new run forgets the exit of the one before",
    needs: ["inspectDetailed"],
    run: async (t) => {
      const id = await t.start({ argv: program(step.append("/runs", "x"), step.line("ready"), step.await("/gate"), step.exit(9)) });
      await t.logged(id, "ready");
      await t.runtime.exec(id, programs.touch("/gate"));
      assert.equal(await t.runtime.waitContainer(id), 9);
      const first = await t.runtime.inspectDetailed(id);
      assert.equal(first.exitCode, 9);
      assert.ok(first.finishedAt !== undefined && first.startedAt !== undefined && first.finishedAt >= first.startedAt);
      await t.runtime.startContainer(id);
      assert.equal(await t.runtime.waitContainer(id), 9);
    },
  },
  {
    name: "remove kills a running container, and a second removal finds nothing",
    needs: [],
    run: async (t) => {
      const id = await t.service({ onTerm: "ignore" });
      const waiting = t.runtime.waitContainer(id);
      await t.runtime.removeContainer(id);
      assert.equal(await waiting, 137);
      await rejectsWith("not_found", t.runtime.containerState(id));
      await rejectsWith("not_found", t.runtime.removeContainer(id));
    },
  },
  {
    name: "remove works on a container that never ran, one that exited and one that failed",
    needs: [],
    run: async (t) => {
      const never = await t.create();
      const { id: exited } = await t.finish({ argv: programs.exitWith(1) });
      const failed = await t.create({ argv: programs.missing() });
      await rejectsWith("start_failed", t.runtime.startContainer(failed));
      for (const id of [never, exited, failed]) {
        await t.runtime.removeContainer(id);
        await rejectsWith("not_found", t.runtime.containerState(id));
      }
    },
  },
  {
    name: "of several removals at once one succeeds, the others say conflict or not found",
    needs: [],
    run: async (t) => {
      const id = await t.service();
      const results = await Promise.allSettled(Array.from({ length: 5 }, () => t.runtime.removeContainer(id)));
      assert.equal(results.filter((result) => result.status === "fulfilled").length, 1);
      for (const result of results) {
        if (result.status === "rejected") assert.ok(isBerthError(result.reason, "conflict") || isBerthError(result.reason, "not_found"), String(result.reason));
      }
    },
  },
  {
    name: "an id can be used again after its removal, with fresh files and log",
    needs: [],
    run: async (t) => {
      const argv = program(step.exists("/mark"), step.append("/mark", "x"));
      const { id } = await t.finish({ argv });
      await t.runtime.removeContainer(id);
      assert.equal((await t.finish({ argv }, id)).stdout, "no\n");
    },
  },
  {
    name: "removing replica 1 leaves replicas 10 and 11 and a service with a shorter name alone",
    needs: [],
    run: async (t) => {
      const { service } = t.newId();
      const others = [
        containerId({ service, replica: 10 }),
        containerId({ service, replica: 11 }),
        containerId({ service: `${service.slice(0, -1)}x`, replica: 1 }),
      ];
      for (const id of others) await t.service({}, id);
      const first = await t.service({}, containerId({ service, replica: 1 }));
      await t.runtime.removeContainer(first);
      for (const id of others) assert.deepEqual(await t.runtime.containerState(id), { state: "running" });
    },
  },
  {
    name: "ids that differ only in role or node are different containers",
    needs: [],
    run: async (t) => {
      const { service } = t.newId();
      const ids = [
        containerId({ service }),
        containerId({ service, role: "read" }),
        containerId({ service, nodeId: 7 }),
        containerId({ service, role: "read", nodeId: 7 }),
      ];
      for (const [index, id] of ids.entries()) await t.start({ argv: program(step.append("/mine", `${index}`), step.cat("/mine"), step.exit(index)) }, id);
      for (const [index, id] of ids.entries()) {
        assert.equal(await t.runtime.waitContainer(id), index);
        assert.equal(await t.text(id), String(index));
      }
    },
  },
  {
    name: "calls on one container do not wait for another container's",
    needs: [],
    run: async (t) => {
      const stubborn = await t.service({ onTerm: "ignore" });
      const stopping = t.runtime.stopContainer(stubborn, -1);
      const { code } = await t.finish({ argv: programs.exitWith(3) });
      assert.equal(code, 3);
      assert.ok(await isPending(stopping));
      await t.runtime.removeContainer(stubborn);
      await Promise.allSettled([stopping]);
    },
  },
  {
    name: "sixteen containers run at the same time",
    needs: [],
    run: async (t) => {
      const done = await Promise.all(Array.from({ length: 16 }, (_, n) => t.finish({ argv: program(step.line(`I am ${n}`), step.exit(n)) })));
      assert.deepEqual(
        done.map(({ code, stdout }) => `${code} ${stdout}`),
        done.map((_, n) => `${n} I am ${n}\n`),
      );
    },
  },
  {
    name: "a signal that is aborted already stops every changing call before it does anything",
    needs: [],
    run: async (t) => {
      const id = await t.service();
      const other = t.newId();
      const { signal, reason, abort } = aborter();
      abort();
      await rejectsBecause(reason, t.runtime.createContainer(other, t.spec(), { signal }));
      await rejectsBecause(reason, t.runtime.startContainer(id, { signal }));
      await rejectsBecause(reason, t.runtime.stopContainer(id, 0, { signal }));
      await rejectsBecause(reason, t.runtime.removeContainer(id, { signal }));
      await rejectsBecause(reason, t.runtime.exec(id, programs.touch("/x"), { signal }));
      await rejectsWith("not_found", t.runtime.containerState(other));
      assert.deepEqual(await t.runtime.containerState(id), { state: "running" });
    },
  },
  {
    name: "an aborted create is either finished or undone",
    needs: [],
    run: async (t) => {
      const id = t.newId();
      const { signal, abort } = aborter();
      const creating = t.runtime.createContainer(id, t.spec(), { signal });
      abort();
      await creating.catch(() => {});
      // A call on the same container comes after whatever is still going on.
      const next = await t.runtime.removeContainer(id).then(
        () => "was there",
        (thrown: unknown) => (isBerthError(thrown, "not_found") ? "was not there" : String(thrown)),
      );
      assert.match(next, /^was/);
      await eventually("the id is free again", () =>
        t.runtime.createContainer(id, t.spec()).then(
          () => true,
          async () => {
            await t.runtime.removeContainer(id).catch(() => {});
            return false;
          },
        ),
      );
      await t.runtime.removeContainer(id);
    },
  },
  {
    name: "an aborted start is either running or not, and can be repeated",
    needs: [],
    run: async (t) => {
      const id = await t.create({ argv: programs.forever() });
      const { signal, abort } = aborter();
      const starting = t.runtime.startContainer(id, { signal });
      abort();
      await starting.catch(() => {});
      await t.runtime.startContainer(id);
      assert.deepEqual(await t.runtime.containerState(id), { state: "running" });
    },
  },
  {
    name: "what is dropped from a spec is named in the warnings",
    needs: ["inspectDetailed"],
    run: async (t) => {
      const id = await t.create({ networkMode: "host", hostname: "mine" });
      const { warnings = [] } = await t.runtime.inspectDetailed(id);
      assert.ok(
        warnings.some((warning) => /hostname/.test(warning)),
        JSON.stringify(warnings),
      );
    },
  },
  {
    name: "with deleteOnExit a wait for removal ends when the container is gone",
    needs: ["delete-on-exit"],
    run: async (t) => {
      const id = await t.create({ argv: programs.exitWith(5), lifecycle: { deleteOnExit: true } });
      const removed = t.runtime.waitOutcomeWithCondition(id, "removed");
      await t.runtime.startContainer(id);
      assert.equal((await removed).exitCode, 5);
      await rejectsWith("not_found", t.runtime.containerState(id));
    },
  },
];
