/** Methods 8, 12 and 22: what the main process wrote. */
import assert from "node:assert/strict";
import { containerIdToString } from "../../spec/container-id.ts";
import type { LogChunk, LogsStreamOptions } from "../../runtime/types.ts";
import type { ContainerId } from "../../spec/container-id.ts";
import type { ContractCase, ContractContext } from "../contract.ts";
import { program, programs, step } from "../programs.ts";
import { aborter, eventually, isPending, rejectsBecause, rejectsWith } from "./expect.ts";

/** Chunks of a stream as text, one string each. */
async function lines(t: ContractContext, id: ContainerId, o: LogsStreamOptions = {}): Promise<readonly string[]> {
  return await Array.fromAsync(await t.runtime.logsStream(id, o), (chunk) => Buffer.from(chunk.bytes).toString());
}

async function chunks(t: ContractContext, id: ContainerId, o: LogsStreamOptions = {}): Promise<readonly LogChunk[]> {
  return await Array.fromAsync(await t.runtime.logsStream(id, o));
}

/** Three lines at three different times. */
const spaced = program(step.line("one"), step.sleep(80), step.line("two"), step.sleep(80), step.line("three"));

const talkative = program(
  step.line("out 1"),
  step.sleep(30),
  step.line("err 1", "stderr"),
  step.sleep(30),
  step.line("out 2"),
  step.sleep(30),
  step.line("err 2", "stderr"),
);

export const logCases: readonly ContractCase[] = [
  {
    name: "log entries tell message, channel, source, service and when they were written",
    needs: [],
    run: async (t) => {
      const before = Date.now();
      const { id } = await t.finish({ argv: program(step.line("to stdout"), step.sleep(30), step.line("to stderr", "stderr")) });
      const entries = await t.runtime.getLogs(id);
      assert.deepEqual(
        entries.map(({ message, stream }) => [message, stream]),
        [
          ["to stdout", "stdout"],
          ["to stderr", "stderr"],
        ],
      );
      for (const entry of entries) {
        assert.deepEqual(entry.source, { type: "container", id: containerIdToString(id) });
        assert.equal(entry.service, id.service);
        assert.ok(entry.timestamp.getTime() >= before - 1000 && entry.timestamp.getTime() <= Date.now() + 1000);
      }
    },
  },
  {
    name: "containerLogs answers the last lines over both channels, 0 all of them",
    needs: [],
    run: async (t) => {
      const { id } = await t.finish({ argv: talkative });
      const messages = async (tail: number): Promise<readonly string[]> => (await t.runtime.containerLogs(id, tail)).map((entry) => entry.message);
      const all = ["out 1", "err 1", "out 2", "err 2"];
      assert.deepEqual(await messages(0), all);
      assert.deepEqual(await messages(1), ["err 2"]);
      assert.deepEqual(await messages(3), all.slice(1));
      assert.deepEqual(await messages(99), all);
      assert.deepEqual(await t.runtime.getLogs(id), await t.runtime.containerLogs(id, 0));
    },
  },
  {
    name: "a tail that is no count is refused",
    needs: [],
    run: async (t) => {
      const id = await t.create();
      await rejectsWith("invalid_spec", t.runtime.containerLogs(id, -1));
      await rejectsWith("invalid_spec", t.runtime.containerLogs(id, 1.5));
    },
  },
  {
    name: "a container that never ran has an empty log, also to follow",
    needs: ["logsStream"],
    run: async (t) => {
      const id = await t.create();
      assert.deepEqual(await t.runtime.containerLogs(id, 0), []);
      assert.deepEqual(await lines(t, id, { follow: true }), []);
    },
  },
  {
    name: "the log is complete right after the wait, fifty times",
    needs: [],
    run: async (t) => {
      const tenTimes = async (): Promise<void> => {
        const id = await t.create({ argv: program(step.append("/n", "x"), step.count(20), step.line("last")) });
        for (let repetition = 1; repetition <= 10; repetition++) {
          await t.runtime.startContainer(id);
          await t.runtime.waitContainer(id);
          const entries = await t.runtime.getLogs(id);
          assert.equal(entries.length, repetition * 21);
          assert.equal(entries.at(-1)?.message, "last");
        }
      };
      await Promise.all(Array.from({ length: 5 }, tenTimes));
    },
  },
  {
    name: "a log stream has one chunk per line with its newline, and a last line without",
    needs: ["logsStream"],
    run: async (t) => {
      const { id } = await t.finish({ argv: program(step.print("a\n\nb\nno newline")) });
      assert.deepEqual(await lines(t, id), ["a\n", "\n", "b\n", "no newline"]);
    },
  },
  {
    name: "channels can be asked for; none asked for means both",
    needs: ["logsStream"],
    run: async (t) => {
      const { id } = await t.finish({ argv: talkative });
      assert.deepEqual(await lines(t, id, { stdout: true }), ["out 1\n", "out 2\n"]);
      assert.deepEqual(await lines(t, id, { stderr: true }), ["err 1\n", "err 2\n"]);
      assert.deepEqual(await lines(t, id, { stdout: true, stderr: true }), ["out 1\n", "err 1\n", "out 2\n", "err 2\n"]);
      assert.deepEqual(await lines(t, id, { stdout: false, stderr: false }), ["out 1\n", "err 1\n", "out 2\n", "err 2\n"]);
      assert.deepEqual(
        (await chunks(t, id)).map((chunk) => chunk.stream),
        ["stdout", "stderr", "stdout", "stderr"],
      );
    },
  },
  {
    name: "tail of a stream: absent is all, 0 is nothing, channels are chosen first",
    needs: ["logsStream"],
    run: async (t) => {
      const { id } = await t.finish({ argv: talkative });
      assert.equal((await lines(t, id)).length, 4);
      assert.deepEqual(await lines(t, id, { tail: 0 }), []);
      assert.deepEqual(await lines(t, id, { tail: 2 }), ["out 2\n", "err 2\n"]);
      assert.deepEqual(await lines(t, id, { tail: 1, stdout: true }), ["out 2\n"]);
    },
  },
  {
    name: "time stamps come when asked for, and only then",
    needs: ["logsStream"],
    run: async (t) => {
      const { id } = await t.finish({ argv: spaced });
      for (const chunk of await chunks(t, id)) assert.equal(chunk.timestamp, undefined);
      const times = (await chunks(t, id, { timestamps: true })).map((chunk) => chunk.timestamp?.getTime() ?? 0);
      assert.ok(
        times.every((time, index) => time > (times[index - 1] ?? 1)),
        JSON.stringify(times),
      );
    },
  },
  {
    name: "since and until select by time, inclusively, before tail does",
    needs: ["logsStream"],
    run: async (t) => {
      const { id } = await t.finish({ argv: spaced });
      const [, second] = (await chunks(t, id, { timestamps: true })).map((chunk) => (chunk.timestamp?.getTime() ?? 0) / 1000);
      assert.ok(second !== undefined);
      // Stored times may be finer than a Date's: a millisecond around them is still far from the neighbours.
      assert.deepEqual(await lines(t, id, { since: second - 0.001 }), ["two\n", "three\n"]);
      assert.deepEqual(await lines(t, id, { until: second + 0.001 }), ["one\n", "two\n"]);
      assert.deepEqual(await lines(t, id, { since: second - 0.001, until: second + 0.001 }), ["two\n"]);
      assert.deepEqual(await lines(t, id, { until: second + 0.001, tail: 1 }), ["two\n"]);
      assert.deepEqual(await lines(t, id, { since: second + 1, until: second }), []);
    },
  },
  {
    name: "following shows lines as they are written and ends with the container",
    needs: ["logsStream"],
    run: async (t) => {
      const id = await t.start({ argv: program(step.line("first"), step.await("/gate"), step.line("second")) });
      const stream = (await t.runtime.logsStream(id, { follow: true }))[Symbol.asyncIterator]();
      assert.equal(Buffer.from((await stream.next()).value?.bytes ?? []).toString(), "first\n");
      const next = stream.next();
      assert.ok(await isPending(next));
      await t.runtime.exec(id, programs.touch("/gate"));
      assert.equal(Buffer.from((await next).value?.bytes ?? []).toString(), "second\n");
      assert.equal((await stream.next()).done, true);
    },
  },
  {
    name: "following from the start misses nothing and repeats nothing",
    needs: ["logsStream"],
    run: async (t) => {
      const id = await t.start({ argv: program(step.count(3000), step.sleep(20), step.count(3000)) });
      const seen = await lines(t, id, { follow: true });
      const expected = Array.from({ length: 3000 }, (_, n) => `${n + 1}\n`);
      assert.deepEqual(seen, [...expected, ...expected]);
    },
  },
  {
    name: "following with tail 0 shows only what comes",
    needs: ["logsStream"],
    run: async (t) => {
      const id = await t.start({ argv: program(step.line("old"), step.await("/gate"), step.line("new")) });
      await t.logged(id, "old");
      const following = lines(t, id, { follow: true, tail: 0 });
      assert.ok(await isPending(following));
      await t.runtime.exec(id, programs.touch("/gate"));
      assert.deepEqual(await following, ["new\n"]);
    },
  },
  {
    name: "following a container that exited ends by itself",
    needs: ["logsStream"],
    run: async (t) => {
      const { id } = await t.finish({ argv: programs.print(["only"]) });
      assert.deepEqual(await lines(t, id, { follow: true }), ["only\n"]);
    },
  },
  {
    name: "following until an instant ends at that instant",
    needs: ["logsStream"],
    run: async (t) => {
      const id = await t.service();
      const until = Date.now() / 1000 + 0.3;
      assert.deepEqual(await lines(t, id, { follow: true, until }), ["ready\n"]);
      assert.ok(Date.now() / 1000 >= until - 0.05);
      assert.deepEqual(await t.runtime.containerState(id), { state: "running" });
    },
  },
  {
    name: "removing the container ends a following stream without an error",
    needs: ["logsStream"],
    run: async (t) => {
      const id = await t.service();
      const following = lines(t, id, { follow: true });
      assert.ok(await isPending(following));
      await t.runtime.removeContainer(id);
      assert.deepEqual(await following, ["ready\n"]);
      await rejectsWith("not_found", t.runtime.logsStream(id, {}));
    },
  },
  {
    name: "several readers follow one log",
    needs: ["logsStream"],
    run: async (t) => {
      const id = await t.start({ argv: program(step.await("/gate"), step.count(200)) });
      const readers = Array.from({ length: 5 }, () => lines(t, id, { follow: true }));
      await t.runtime.exec(id, programs.touch("/gate"));
      for (const seen of await Promise.all(readers)) assert.equal(seen.length, 200);
    },
  },
  {
    name: "an abort ends a pending read with its reason, and the stream with it",
    needs: ["logsStream"],
    run: async (t) => {
      const id = await t.service();
      const { signal, reason, abort } = aborter();
      const stream = (await t.runtime.logsStream(id, { follow: true, tail: 0 }, { signal }))[Symbol.asyncIterator]();
      const next = stream.next();
      abort();
      await rejectsBecause(reason, next);
      assert.equal((await stream.next()).done, true);
      assert.deepEqual(await t.runtime.containerState(id), { state: "running" });
    },
  },
  {
    name: "leaving a log stream, even twice and with a read pending, changes nothing for the container",
    needs: ["logsStream"],
    run: async (t) => {
      const id = await t.service();
      for await (const _ of await t.runtime.logsStream(id, { follow: true })) break;
      const stream = (await t.runtime.logsStream(id, { follow: true, tail: 0 }))[Symbol.asyncIterator]();
      const next = stream.next();
      await stream.return?.();
      await stream.return?.();
      assert.equal((await next).done, true);
      assert.deepEqual(await t.runtime.containerState(id), { state: "running" });
    },
  },
  {
    name: "abandoned streams hold on to nothing",
    needs: ["logsStream", "statsStream", "execStream", "topContainer"],
    run: async (t) => {
      // With an init, processes that lost their parent do not stay behind as zombies.
      const id = await t.service({ initContainer: true });
      const held = (): number => process.getActiveResourcesInfo().length;
      const before = held();
      const processes = await processesOf(t, id);
      const leaveEach = async (): Promise<void> => {
        for await (const _ of await t.runtime.logsStream(id, { follow: true })) break;
        for await (const _ of await t.runtime.statsStream(id)) break;
        for await (const _ of await t.runtime.execStream(id, programs.forever())) break;
      };
      await Promise.all(Array.from({ length: 15 }, leaveEach));
      await eventually("everything is released", () => held() <= before + 2);
      await eventually("the exec'd processes are gone", async () => (await processCount(t, id)) <= processes);
    },
  },
  {
    name: "a line of a mebibyte without newline arrives whole, in chunks of at most 16 KiB",
    needs: ["logsStream"],
    run: async (t) => {
      const size = 1024 * 1024;
      const { id } = await t.finish({ argv: program(step.fill(size)) });
      const all = await chunks(t, id);
      assert.ok(all.every((chunk) => chunk.bytes.length <= 16 * 1024));
      assert.ok(Buffer.concat(all.map((chunk) => chunk.bytes)).equals(Buffer.alloc(size, "x")));
      assert.deepEqual(
        (await t.runtime.getLogs(id)).map((entry) => entry.message.length),
        [size],
      );
    },
  },
  {
    name: "a hundred thousand lines arrive in order",
    needs: ["logsStream"],
    run: async (t) => {
      const id = await t.start({ argv: program(step.count(100_000)) });
      await t.runtime.waitContainer(id);
      let expected = 0;
      for await (const chunk of await t.runtime.logsStream(id, {})) {
        const text = Buffer.from(chunk.bytes).toString();
        if (text !== `${++expected}\n`) assert.equal(text, `${expected}\n`);
      }
      assert.equal(expected, 100_000);
      assert.deepEqual(
        (await t.runtime.containerLogs(id, 2)).map((entry) => entry.message),
        ["99999", "100000"],
      );
    },
  },
  {
    name: "NUL bytes and invalid UTF-8 pass through a stream unchanged and become U+FFFD in entries",
    needs: ["logsStream"],
    run: async (t) => {
      const bytes = Buffer.from([0x61, 0x00, 0xff, 0xfe, 0x80, 0x0a, 0xe2, 0x82, 0x0a, 0x01, 0x1b, 0x7f, 0x0a]);
      const { id } = await t.finish({ argv: program(step.bytes(bytes)) });
      assert.deepEqual(Buffer.concat((await chunks(t, id)).map((chunk) => chunk.bytes)), bytes);
      const messages = (await t.runtime.getLogs(id)).map((entry) => entry.message);
      assert.deepEqual(messages, ["a\0\ufffd\ufffd\ufffd", "\ufffd", "\x01\x1b\x7f"]);
    },
  },
  {
    name: "lines of both channels stay in the order in which they were written",
    needs: ["logsStream"],
    run: async (t) => {
      const steps = Array.from({ length: 6 }, (_, n) => [step.line(`${n}`, n % 2 === 0 ? "stdout" : "stderr"), step.sleep(20)]).flat();
      const { id } = await t.finish({ argv: program(...steps) });
      assert.deepEqual(await lines(t, id), ["0\n", "1\n", "2\n", "3\n", "4\n", "5\n"]);
    },
  },
  {
    name: "with a terminal everything is stdout",
    needs: ["logsStream"],
    run: async (t) => {
      const { id } = await t.finish({ tty: true, argv: program(step.isTerminal(), step.line("error", "stderr")) });
      const all = await chunks(t, id);
      assert.deepEqual(new Set(all.map((chunk) => chunk.stream)), new Set(["stdout"]));
      assert.deepEqual(
        (await t.runtime.getLogs(id)).map((entry) => entry.message),
        ["terminal", "error"],
      );
    },
  },
  {
    name: "the log is the same for whoever opens the state later",
    needs: ["reopen", "logsStream"],
    run: async (t) => {
      const { id } = await t.finish({ argv: talkative });
      const second = await t.reopen();
      assert.deepEqual(await second.getLogs(id), await t.runtime.getLogs(id));
    },
  },
  {
    name: "a log stays within its bound, and a follower reads across rotations without gap or repetition",
    needs: ["logsStream"],
    run: async (t) => {
      const [bursts, lines, maxSizeBytes] = [8, 2000, 64 * 1024];
      const steps = Array.from({ length: bursts }, () => [step.count(lines), step.sleep(300)]).flat();
      const id = await t.create({ argv: program(...steps), logs: { maxSizeBytes, maxFiles: 3 } });
      await t.runtime.startContainer(id);
      const seen = await Array.fromAsync(await t.runtime.logsStream(id, { follow: true }), ({ bytes }) => Buffer.from(bytes).toString());
      const burst = Array.from({ length: lines }, (_, index) => `${index + 1}\n`);
      const written = Array.from({ length: bursts }, () => burst).flat();
      assert.equal(seen.length, written.length);
      assert.ok(seen.join("") === written.join(""), "every line once, in order");
      const kept = await t.text(id);
      assert.ok(written.join("").endsWith(kept), "what is kept is the end of what was written");
    },
  },
];

/** How many it is made of. It says that it is ready a moment before it starts its last one, so the most of a second is taken. */
async function processesOf(t: ContractContext, id: ContainerId): Promise<number> {
  let most = 0;
  for (let look = 0; look < 10; look++) {
    most = Math.max(most, await processCount(t, id));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return most;
}

async function processCount(t: ContractContext, id: ContainerId): Promise<number> {
  return (await t.runtime.topContainer(id, [])).processes.length;
}
