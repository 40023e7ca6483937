/** Methods 9, 15 and 16: further processes in a running container. */
import assert from "node:assert/strict";
import type { ExecEvent, ExecHandle } from "../../runtime/types.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { ContractCase, ContractContext } from "../contract.ts";
import { program, programs, step } from "../programs.ts";
import { aborter, eventually, isPending, rejectsBecause, rejectsWith } from "./expect.ts";

const says = (text: string): readonly string[] => program(step.line(text));

/** Proof that an exec'd process is gone: it would write a file once the gate opens. */
const trap = program(step.line("started"), step.await("/gate"), step.append("/late", "x"));

async function assertTrapIsDead(t: ContractContext, id: ContainerId): Promise<void> {
  await t.runtime.exec(id, programs.touch("/gate"));
  const { stdout } = await t.runtime.exec(id, program(step.sleep(150), step.exists("/late")));
  assert.equal(stdout, "no\n");
}

function joined(events: readonly ExecEvent[], kind: "stdout" | "stderr"): string {
  return events.map((event) => (event.kind === kind ? event.data : "")).join("");
}

export const execCases: readonly ContractCase[] = [
  {
    name: "exec answers output by channel and the exit code",
    needs: [],
    run: async (t) => {
      const id = await t.service();
      const result = await t.runtime.exec(id, program(step.line("out"), step.line("err", "stderr"), step.exit(5)));
      assert.deepEqual({ ...result, truncated: result.truncated ?? false }, { exitCode: 5, stdout: "out\n", stderr: "err\n", truncated: false });
    },
  },
  {
    name: "exec answers every exit code as it is",
    needs: [],
    run: async (t) => {
      const id = await t.service();
      for (const code of [0, 1, 42, 125, 255]) assert.equal((await t.runtime.exec(id, programs.exitWith(code))).exitCode, code);
    },
  },
  {
    name: "exec of a process that a signal ends answers 128 and the signal's number",
    needs: [],
    run: async (t) => {
      const id = await t.service();
      for (const [signal, code] of [
        ["TERM", 143],
        ["KILL", 137],
        ["SEGV", 139],
      ] as const) {
        assert.equal((await t.runtime.exec(id, program(step.die(signal)))).exitCode, code);
      }
    },
  },
  {
    name: "exec of a missing command is 127, of one that is not executable 126, with a message",
    needs: [],
    run: async (t) => {
      const id = await t.service();
      const missing = await t.runtime.exec(id, programs.missing());
      assert.equal(missing.exitCode, 127);
      assert.match(missing.stderr, /no\/such\/program/);
      const refused = await t.runtime.exec(id, programs.notExecutable());
      assert.equal(refused.exitCode, 126);
      assert.match(refused.stderr, /not-executable|permission denied/i);
    },
  },
  {
    name: "exec refuses an empty command",
    needs: [],
    run: async (t) => {
      const id = await t.service();
      await rejectsWith("invalid_spec", t.runtime.exec(id, []));
      await rejectsWith("invalid_spec", t.runtime.execStream(id, []));
    },
  },
  {
    name: "exec in a container that does not run is a conflict",
    needs: [],
    run: async (t) => {
      const never = await t.create();
      const { id } = await t.finish({ argv: programs.exitWith(0) });
      for (const stopped of [never, id]) {
        await rejectsWith("conflict", t.runtime.exec(stopped, says("x")));
        await rejectsWith("conflict", t.runtime.execStream(stopped, says("x")));
      }
    },
  },
  {
    name: "exec has the container's environment with its own variables on top",
    needs: [],
    run: async (t) => {
      const id = await t.service({ env: { FROM_SPEC: "spec", BOTH: "spec" } });
      const argv = program(step.env("DEMO"), step.env("FROM_SPEC"), step.env("BOTH"), step.env("OWN"), step.env("NONE"));
      const { stdout } = await t.runtime.exec(id, argv, { env: ["BOTH=exec", "OWN=a=b c"] });
      assert.equal(stdout, "DEMO=image\nFROM_SPEC=spec\nBOTH=exec\nOWN=a=b c\nNONE is unset\n");
    },
  },
  {
    name: "exec begins in the container's working directory unless told otherwise",
    needs: [],
    run: async (t) => {
      const id = await t.service({ command: { workdir: "/tmp" } });
      assert.equal((await t.runtime.exec(id, program(step.workdir()))).stdout, "/tmp\n");
      assert.equal((await t.runtime.exec(id, program(step.workdir()), { workingDir: "/demo" })).stdout, "/demo\n");
    },
  },
  {
    name: "exec sees the files of the main process and the other way round",
    needs: [],
    run: async (t) => {
      const id = await t.start({ argv: program(step.append("/main", "from main\n"), step.line("ready"), step.await("/exec"), step.cat("/exec")) });
      await t.logged(id, "ready");
      assert.equal((await t.runtime.exec(id, programs.cat("/main"))).stdout, "from main\n");
      await t.runtime.exec(id, programs.append("/exec", "from exec\n"));
      await t.runtime.waitContainer(id);
      assert.match(await t.text(id), /from exec/);
    },
  },
  {
    name: "exec has an empty stdin",
    needs: [],
    run: async (t) => {
      const id = await t.service({ stdinOpen: true });
      assert.equal((await t.runtime.exec(id, program(step.readLine()))).stdout, "end of input\n");
    },
  },
  {
    name: "exec output does not appear in the container's log",
    needs: [],
    run: async (t) => {
      const id = await t.service();
      await t.runtime.exec(id, says("only for the caller"));
      assert.equal(await t.text(id), "ready\n");
    },
  },
  {
    name: "exec keeps a mebibyte as it is and decodes invalid bytes as U+FFFD",
    needs: [],
    run: async (t) => {
      const id = await t.service();
      const { stdout } = await t.runtime.exec(id, program(step.fill(1024 * 1024), step.bytes(new Uint8Array([0xff, 0x00, 0xe2, 0x82, 0xac]))));
      assert.equal(stdout.length, 1024 * 1024 + 3);
      assert.ok(stdout.endsWith("x\ufffd\0€"));
    },
  },
  {
    name: "exec discards what exceeds 16 MiB of a channel, says so, and lets the process end",
    needs: [],
    run: async (t) => {
      const id = await t.service();
      const limit = 16 * 1024 * 1024;
      const result = await t.runtime.exec(id, program(step.fill(limit + 1000), step.line("done", "stderr"), step.exit(3)));
      assert.deepEqual([result.exitCode, result.stdout.length, result.stderr, result.truncated], [3, limit, "done\n", true]);
    },
  },
  {
    name: "exec answers 137 when the container dies meanwhile",
    needs: [],
    run: async (t) => {
      const id = await t.service({ onTerm: "ignore" });
      const { promise: running, resolve } = Promise.withResolvers<void>();
      const pending = t.runtime.exec(id, program(step.append("/begun", ""), step.forever()));
      void eventually("the exec has begun", async () => (await t.runtime.exec(id, program(step.exists("/begun")))).stdout === "yes\n").then(resolve);
      await running;
      await t.runtime.stopContainer(id, 0);
      assert.equal((await pending).exitCode, 137);
    },
  },
  {
    name: "an aborted exec rejects with the reason and its process is killed",
    needs: [],
    run: async (t) => {
      const id = await t.service();
      const { signal, reason, abort } = aborter();
      const pending = t.runtime.exec(id, program(step.append("/begun", ""), step.await("/gate"), step.append("/late", "x")), { signal });
      await eventually("the exec has begun", async () => (await t.runtime.exec(id, program(step.exists("/begun")))).stdout === "yes\n");
      abort();
      await rejectsBecause(reason, pending);
      await assertTrapIsDead(t, id);
    },
  },
  {
    name: "an aborted exec kills the whole process group",
    needs: ["kernel"],
    run: async (t) => {
      const id = await t.service();
      const { signal, reason, abort } = aborter();
      const pending = t.runtime.exec(id, programs.shell("sleep 7654321 & sleep 7654321"), { signal });
      const count = async (): Promise<string> => (await t.runtime.exec(id, programs.shell("ps | grep -c '[s]leep 7654321'"))).stdout.trim();
      await eventually("both processes run", async () => (await count()) === "2");
      abort();
      await rejectsBecause(reason, pending);
      await eventually("both processes are gone", async () => (await count()) === "0");
    },
  },
  {
    name: "twenty execs run side by side",
    needs: [],
    run: async (t) => {
      const id = await t.service();
      const results = await Promise.all(Array.from({ length: 20 }, (_, n) => t.runtime.exec(id, program(step.line(`n${n}`), step.exit(n)))));
      assert.deepEqual(
        results.map(({ exitCode, stdout }) => `${exitCode} ${stdout}`),
        results.map((_, n) => `${n} n${n}\n`),
      );
    },
  },
  {
    name: "exec runs as the container's user unless told otherwise",
    needs: ["kernel"],
    run: async (t) => {
      const id = await t.service({ user: "alice" });
      const who = async (user?: string): Promise<string> => (await t.runtime.exec(id, ["id"], { user })).stdout;
      assert.match(await who(), /^uid=1000\(alice\) gid=1000\(alice\)/);
      assert.match(await who("root"), /^uid=0\(root\) gid=0\(root\)/);
      assert.match(await who("bob"), /^uid=1001\(bob\) gid=1002\(bob\)/);
      assert.match(await who("1234:29"), /^uid=1234 gid=29\(audio\)/);
    },
  },
  {
    name: "exec with an unknown user never becomes root",
    needs: ["kernel"],
    run: async (t) => {
      const id = await t.service();
      const result = await t.runtime.exec(id, ["id", "-u"], { user: "stranger" }).catch(() => undefined);
      assert.ok(result === undefined || (result.exitCode !== 0 && result.stdout === ""), JSON.stringify(result));
    },
  },
  {
    name: "exec as another user has that user's HOME and supplementary groups",
    needs: ["kernel"],
    run: async (t) => {
      const id = await t.service();
      const { stdout } = await t.runtime.exec(id, programs.shell("echo $HOME; id -G"), { user: "alice" });
      const [home, groups = ""] = stdout.split("\n");
      assert.equal(home, "/home/alice");
      assert.deepEqual(groups.split(" ").sort(), ["10", "1000", "44"]);
    },
  },
  {
    name: "exec has the container's capabilities, all of them when privileged",
    needs: ["kernel"],
    run: async (t) => {
      const id = await t.service({ capDrop: ["ALL"] });
      const caps = async (privileged: boolean): Promise<string> =>
        (await t.runtime.exec(id, programs.shell("grep CapEff /proc/self/status | cut -f2"), { privileged })).stdout.trim();
      assert.equal(Number.parseInt(await caps(false), 16), 0);
      assert.ok((BigInt(`0x${await caps(true)}`) & (1n << 21n)) !== 0n, "CAP_SYS_ADMIN");
    },
  },
  {
    name: "execStream yields lines with their newline as they come, and one exit, last",
    needs: [],
    run: async (t) => {
      const id = await t.service();
      const stream = (await t.runtime.execStream(id, program(step.line("one"), step.await("/gate"), step.line("two", "stderr"), step.exit(4))))[
        Symbol.asyncIterator
      ]();
      assert.deepEqual((await stream.next()).value, { kind: "stdout", data: "one\n" });
      const next = stream.next();
      assert.ok(await isPending(next));
      await t.runtime.exec(id, programs.touch("/gate"));
      assert.deepEqual((await next).value, { kind: "stderr", data: "two\n" });
      assert.deepEqual((await stream.next()).value, { kind: "exit", code: 4 });
      assert.equal((await stream.next()).done, true);
    },
  },
  {
    name: "execStream hands over a partial line without waiting for its end",
    needs: [],
    run: async (t) => {
      const id = await t.service();
      const stream = await t.runtime.execStream(id, program(step.print("name? "), step.await("/gate"), step.line("thanks")));
      for await (const event of stream) {
        assert.deepEqual(event, { kind: "stdout", data: "name? " });
        break;
      }
    },
  },
  {
    name: "execStream: all pieces together are exactly the output",
    needs: [],
    run: async (t) => {
      const id = await t.service();
      const text = "zß水🍌 no newline at the end";
      const events = await Array.fromAsync(await t.runtime.execStream(id, program(step.count(100_000), step.fill(100_000), step.print(text))));
      const expected = `${Array.from({ length: 100_000 }, (_, n) => `${n + 1}\n`).join("")}${"x".repeat(100_000)}${text}`;
      assert.ok(joined(events, "stdout") === expected);
      assert.deepEqual(
        events.filter((event) => event.kind === "exit"),
        [{ kind: "exit", code: 0 }],
      );
    },
  },
  {
    name: "execStream of a missing command ends with 127 and a message",
    needs: [],
    run: async (t) => {
      const id = await t.service();
      const events = await Array.fromAsync(await t.runtime.execStream(id, programs.missing()));
      assert.match(joined(events, "stderr"), /no\/such\/program/);
      assert.deepEqual(events.at(-1), { kind: "exit", code: 127 });
    },
  },
  {
    name: "leaving an execStream kills the process and not the container",
    needs: [],
    run: async (t) => {
      const id = await t.service();
      for await (const event of await t.runtime.execStream(id, trap)) {
        assert.equal(event.kind, "stdout");
        break;
      }
      await assertTrapIsDead(t, id);
      const stream = (await t.runtime.execStream(id, programs.forever()))[Symbol.asyncIterator]();
      await stream.next();
      await stream.return?.();
      await stream.return?.();
      assert.deepEqual(await t.runtime.containerState(id), { state: "running" });
    },
  },
  {
    name: "an aborted execStream rejects the pending read with the reason and kills the process",
    needs: [],
    run: async (t) => {
      const id = await t.service();
      const { signal, reason, abort } = aborter();
      const stream = (await t.runtime.execStream(id, trap, { signal }))[Symbol.asyncIterator]();
      await stream.next();
      const next = stream.next();
      abort();
      await rejectsBecause(reason, next);
      assert.equal((await stream.next()).done, true);
      await assertTrapIsDead(t, id);
    },
  },
  {
    name: "a slow reader of an execStream loses nothing",
    needs: [],
    run: async (t) => {
      const id = await t.service();
      let bytes = 0;
      let reads = 0;
      for await (const event of await t.runtime.execStream(id, program(step.fill(2 * 1024 * 1024)))) {
        if (++reads % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
        if (event.kind === "stdout") bytes += event.data.length;
      }
      assert.equal(bytes, 2 * 1024 * 1024);
    },
  },
];

/** Everything a handle's stream delivers. */
async function drain(handle: ExecHandle): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of handle.stream) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

const attached = { attachStdin: true, attachStdout: true, attachStderr: true } as const;

export const execPtyCases: readonly ContractCase[] = [
  {
    name: "execPty without a terminal is three pipes: input comes back, half-closing ends it",
    needs: ["execPty"],
    run: async (t) => {
      const id = await t.service();
      const handle = await t.runtime.execPty(id, { command: program(step.isTerminal(), step.echoStdin(), step.exit(9)), ...attached });
      handle.stream.write("first ");
      handle.stream.end("second\n");
      assert.equal((await drain(handle)).toString(), "no terminal\nfirst second\n");
      assert.equal(await handle.exit, 9);
    },
  },
  {
    name: "execPty passes every byte value in both directions",
    needs: ["execPty"],
    run: async (t) => {
      const id = await t.service();
      const bytes = Buffer.from(Array.from({ length: 64 * 1024 }, (_, n) => (n * 7) % 256));
      const handle = await t.runtime.execPty(id, { command: programs.echoStdin(), ...attached });
      handle.stream.end(bytes);
      assert.ok((await drain(handle)).equals(bytes));
      assert.equal(await handle.exit, 0);
    },
  },
  {
    name: "execPty without a terminal keeps the channels apart in output",
    needs: ["execPty"],
    run: async (t) => {
      const id = await t.service();
      const command = program(step.line("out"), step.sleep(20), step.line("err", "stderr"));
      const handle = await t.runtime.execPty(id, { command, ...attached });
      const seen = { stdout: "", stderr: "" };
      for await (const { channel, bytes } of handle.output ?? []) seen[channel] += Buffer.from(bytes).toString();
      assert.deepEqual(seen, { stdout: "out\n", stderr: "err\n" });
      assert.equal(await handle.exit, 0);
    },
  },
  {
    name: "execPty without stdin reads the end of input, and discards channels nobody asked for",
    needs: ["execPty"],
    run: async (t) => {
      const id = await t.service();
      const command = program(step.readLine(), step.line("error", "stderr"));
      const handle = await t.runtime.execPty(id, { command, attachStdout: true });
      assert.equal((await drain(handle)).toString(), "end of input\n");
      assert.equal(await handle.exit, 0);
    },
  },
  {
    name: "execPty with a terminal has one, merges the channels and sets TERM",
    needs: ["execPty"],
    run: async (t) => {
      const id = await t.service();
      const command = program(step.isTerminal(), step.env("TERM"), step.line("error", "stderr"));
      const handle = await t.runtime.execPty(id, { command, tty: true, ...attached });
      assert.equal((await drain(handle)).toString(), "terminal\r\nTERM=xterm\r\nerror\r\n");
      assert.equal(await handle.exit, 0);
    },
  },
  {
    name: "execPty with a terminal takes input line by line",
    needs: ["execPty"],
    run: async (t) => {
      const id = await t.service();
      const handle = await t.runtime.execPty(id, { command: program(step.line("ready"), step.readLine(), step.exit(3)), tty: true, ...attached });
      handle.stream.write("hello\n");
      assert.match((await drain(handle)).toString(), /got:hello\r\n/);
      assert.equal(await handle.exit, 3);
    },
  },
  {
    name: "execPty tells the program the latest window size, zero and late values are ignored",
    needs: ["execPty"],
    run: async (t) => {
      const id = await t.service();
      const command = program(step.await("/gate"), step.windowSize());
      const handle = await t.runtime.execPty(id, { command, tty: true, ...attached });
      handle.resize(10, 20);
      handle.resize(33, 101);
      handle.resize(0, 0);
      // The size travels beside the output; give it the time of one exec.
      await t.runtime.exec(id, program(step.sleep(50), step.append("/gate", "")));
      assert.match((await drain(handle)).toString(), /33 101/);
      assert.equal(await handle.exit, 0);
      handle.resize(1, 1);
    },
  },
  {
    name: "execPty honours environment and working directory",
    needs: ["execPty"],
    run: async (t) => {
      const id = await t.service();
      const handle = await t.runtime.execPty(id, { command: program(step.workdir(), step.env("MINE")), workingDir: "/demo", env: ["MINE=yes"], ...attached });
      assert.equal((await drain(handle)).toString(), "/demo\nMINE=yes\n");
    },
  },
  {
    name: "execPty honours the user, with a terminal and without",
    needs: ["execPty", "kernel"],
    run: async (t) => {
      const id = await t.service();
      for (const tty of [false, true]) {
        const handle = await t.runtime.execPty(id, { command: ["id", "-un"], user: "alice", tty, ...attached });
        assert.equal((await drain(handle)).toString().trim(), "alice");
      }
    },
  },
  {
    name: "execPty gives a session with a controlling terminal: Ctrl-C interrupts",
    needs: ["execPty", "kernel"],
    run: async (t) => {
      const id = await t.service();
      const handle = await t.runtime.execPty(id, {
        command: programs.shell("trap 'exit 66' INT; echo ready; while :; do sleep 0.01; done"),
        tty: true,
        ...attached,
      });
      handle.stream.once("data", () => handle.stream.write("\x03"));
      assert.equal(await handle.exit, 66);
    },
  },
  {
    name: "execPty exits although nobody reads",
    needs: ["execPty"],
    run: async (t) => {
      const id = await t.service();
      const handle = await t.runtime.execPty(id, { command: program(step.fill(3 * 1024 * 1024), step.exit(8)), ...attached });
      assert.equal(await handle.exit, 8);
    },
  },
  {
    name: "execPty keeps megabytes for a reader that pauses",
    needs: ["execPty"],
    run: async (t) => {
      const id = await t.service();
      const handle = await t.runtime.execPty(id, { command: program(step.fill(4 * 1024 * 1024)), ...attached });
      let bytes = 0;
      let paused = false;
      for await (const piece of handle.stream) {
        bytes += piece.length;
        if (!paused && bytes > 100_000) {
          paused = true;
          await new Promise((resolve) => setTimeout(resolve, 200));
        }
      }
      assert.equal(bytes, 4 * 1024 * 1024);
    },
  },
  {
    name: "closing an execPty stream, even twice, leaves the container alone",
    needs: ["execPty"],
    run: async (t) => {
      const id = await t.service();
      for (const tty of [false, true]) {
        const handle = await t.runtime.execPty(id, { command: program(step.line("ready"), step.echoStdin()), tty, ...attached });
        handle.exit.catch(() => {});
        handle.stream.destroy();
        handle.stream.destroy();
      }
      assert.deepEqual(await t.runtime.containerState(id), { state: "running" });
      assert.equal((await t.runtime.exec(id, programs.exitWith(1))).exitCode, 1);
    },
  },
  {
    name: "execPty answers 137 when the container stops",
    needs: ["execPty"],
    run: async (t) => {
      const id = await t.service({ onTerm: 0 });
      const handle = await t.runtime.execPty(id, { command: programs.forever({ onTerm: "ignore" }), ...attached });
      await new Promise((resolve) => handle.stream.once("data", resolve));
      handle.stream.resume();
      await t.runtime.stopContainer(id);
      assert.equal(await handle.exit, 137);
    },
  },
  {
    name: "an aborted execPty is killed",
    needs: ["execPty"],
    run: async (t) => {
      const id = await t.service();
      const { signal, abort } = aborter();
      const handle = await t.runtime.execPty(id, { command: trap, ...attached }, { signal });
      const exited = handle.exit.catch(() => 137);
      await new Promise((resolve) => handle.stream.once("data", resolve));
      abort();
      assert.equal(await exited, 137);
      await assertTrapIsDead(t, id);
    },
  },
  {
    name: "forty execPty sessions run side by side",
    needs: ["execPty"],
    run: async (t) => {
      const id = await t.service();
      const sessions = Array.from({ length: 40 }, async (_, n) => {
        const handle = await t.runtime.execPty(id, { command: programs.echoStdin(), ...attached });
        handle.stream.end(`session ${n}`);
        const text = (await drain(handle)).toString();
        return `${await handle.exit} ${text}`;
      });
      assert.deepEqual(
        await Promise.all(sessions),
        sessions.map((_, n) => `0 session ${n}`),
      );
    },
  },
  {
    name: "execPty of a missing command exits 127, in a stopped container it is a conflict, without a command refused",
    needs: ["execPty"],
    run: async (t) => {
      const id = await t.service();
      const handle = await t.runtime.execPty(id, { command: programs.missing(), ...attached });
      handle.stream.resume();
      assert.equal(await handle.exit, 127);
      await rejectsWith("invalid_spec", t.runtime.execPty(id, { command: [] }));
      await rejectsWith("conflict", t.runtime.execPty(await t.create(), { command: programs.exitWith(0) }));
    },
  },
];
